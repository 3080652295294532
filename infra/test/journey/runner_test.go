//go:build unix

package journey

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

// protocol is what the rows of the runner protocol need: an installation, and a reader of its
// runs.
type protocol struct {
	*Stack
	in     Installation
	reader *Client
}

const noWork = `{"type":"done"}`

// Results of the directory net.
const (
	netPlanned = `{"steps":[{"step":"tf/init","success":true,"ignore_errors":false,"scope":{"type":"dirspace","dir":"net","workspace":"default"},"payload":{"text":"init"}},
		{"step":"tf/plan","success":true,"ignore_errors":false,"scope":{"type":"dirspace","dir":"net","workspace":"default"},"payload":{"text":"No changes.","has_changes":false}}],
		"gates":[{"all_of":["a"],"any_of":null,"any_of_count":0,"token":null,"name":null,"dir":null,"workspace":null}]}`
	hookFailed = `{"steps":[{"step":"run","success":false,"ignore_errors":false,"scope":{"type":"run","flow":"hooks","subflow":"pre"},"payload":{"text":"boom"}}]}`
)

// send sends a request of a run's runner.
func (p protocol) send(t *testing.T, of Run, method, rest, body string) Response {
	t.Helper()
	return p.Runner(t, p.in, of, method, rest, body)
}

// initiate asks for the work as the CI job 1 does.
func (p protocol) initiate(t *testing.T, of Run) Response {
	t.Helper()
	return p.send(t, of, "POST", "/initiate", `{"run_id":"1","sha":"`+Commit+`"}`)
}

// queued makes a run of a type.
func (p protocol) queued(t *testing.T, of run.Type) Run {
	t.Helper()
	return p.queue(t, func() (runstore.Creation, Run) {
		c, made := p.creation(t, p.in)
		if c.Spec.Type = of; !of.IsPlan() && !of.IsApply() {
			c.Spec.Dirspaces = nil
		}
		return c, made
	})
}

// started makes a plan whose CI job has its work.
func (p protocol) started(t *testing.T) Run {
	t.Helper()
	made := p.queued(t, run.Plan)
	p.initiate(t, made).Want(t, 200)
	return made
}

// shown is what the API shows of a run.
type shown struct {
	State  string `json:"state"`
	RunID  string `json:"run_id"`
	Reason struct {
		Code run.ReasonCode `json:"code"`
	} `json:"reason"`
	Dirspaces []struct {
		Success    bool  `json:"success"`
		HasChanges *bool `json:"has_changes"`
	} `json:"dirspaces"`
}

func (p protocol) path(of Run, rest string) string {
	return "/api/v1/" + p.in.VCS + "/installations/" + p.in.ID + "/work-manifests/" + string(of.ID) + rest
}

func (p protocol) shown(t *testing.T, of Run) (is shown) {
	t.Helper()
	p.reader.Do(t, "GET", p.path(of, ""), "").Want(t, 200).Read(t, &is)
	return is
}

// same fails the test unless a response is 200 with this body.
func same(t *testing.T, got Response, body string) {
	t.Helper()
	if got.Want(t, 200); string(bytes.TrimSpace(got.Body)) != strings.TrimSpace(body) {
		t.Errorf("got %s, want %s", got.Body, body)
	}
}

func planOf(text string) string {
	return `{"path":"net","workspace":"default","plan_data":"` + base64.StdEncoding.EncodeToString([]byte(text)) + `"}`
}

// protocolRows are rows of section 17 of the runner protocol, by their numbers. Row 22, the loop
// with a runner, has tests of its own.
var protocolRows = []struct {
	name  string
	check func(*testing.T, protocol)
}{
	{"1: an unknown UUID has no work", func(t *testing.T, p protocol) {
		p.send(t, Run{Work: string(run.NewID())}, "POST", "/initiate", `{"run_id":"1","sha":"`+Commit+`"}`).Want(t, 404)
	}},
	{"2: the same request for the work gets the same bytes", func(t *testing.T, p protocol) {
		made := p.queued(t, run.Plan)
		same(t, p.initiate(t, made), string(p.initiate(t, made).Body))
	}},
	{"3: another commit aborts the run", func(t *testing.T, p protocol) {
		made := p.queued(t, run.Plan)
		same(t, p.send(t, made, "POST", "/initiate", `{"run_id":"1","sha":"0000"}`), noWork)
		if is := p.shown(t, made); is.State != "aborted" || is.RunID != "1" || is.Reason.Code != run.WrongCommit {
			t.Errorf("got %+v", is)
		}
	}},
	{"4: a completed run has no work", func(t *testing.T, p protocol) {
		made := p.started(t)
		p.send(t, made, "PUT", "", netPlanned).Want(t, 200)
		same(t, p.initiate(t, made), noWork)
	}},
	{"5 and 6: the manifest has its versions, and turns the estimation of costs off", func(t *testing.T, p protocol) {
		var m struct {
			Token         string          `json:"token"`
			ResultVersion int             `json:"result_version"`
			Capabilities  []any           `json:"capabilities"`
			Config        json.RawMessage `json:"config"`
		}
		made := p.queued(t, run.Plan)
		p.initiate(t, made).Want(t, 200).Read(t, &m)
		var config struct {
			Costs struct {
				Enabled *bool `json:"enabled"`
			} `json:"cost_estimation"`
		}
		err := json.Unmarshal(m.Config, &config)
		if m.Token != made.Token || m.ResultVersion != 2 || m.Capabilities == nil || bytes.Contains(m.Config, []byte("null")) {
			t.Errorf("got the manifest %+v with the configuration %s", m, m.Config)
		}
		if err != nil || config.Costs.Enabled == nil || *config.Costs.Enabled {
			t.Errorf("got the configuration %s, %v", m.Config, err)
		}
	}},
	{"7 and 8: a token of GitHub is for the runner of the run", func(t *testing.T, p protocol) {
		made, other := p.started(t), p.started(t)
		if p.in.VCS != "github" {
			p.send(t, made, "POST", "/access-token", "").Want(t, 404)
			return
		}
		var body struct {
			Token string `json:"access_token"`
		}
		p.Do(t, Request{
			Method: "POST", Target: "/api/github/v1/work-manifests/" + made.Work + "/access-token", Authorization: "bearer " + made.Token,
			Header: map[string][]string{"Content-Type": nil},
		}).Want(t, 200).Read(t, &body)
		if body.Token == "" {
			t.Error("got no token")
		}
		other.Work = made.Work
		p.send(t, other, "POST", "/access-token", "").Want(t, 403)
	}},
	{"9 to 13: an apply fetches the last plan, as often as it wants", func(t *testing.T, p protocol) {
		plan := p.started(t)
		p.send(t, plan, "POST", "/plans", planOf("first")).Want(t, 200)
		p.send(t, plan, "POST", "/plans", planOf("second")).Want(t, 200)
		p.send(t, plan, "GET", "/plans?path=net&workspace=default", "").Want(t, 403)
		p.send(t, plan, "PUT", "", netPlanned).Want(t, 200)
		p.send(t, plan, "POST", "/plans", planOf("late")).Want(t, 403)
		apply := p.applyOf(t, p.in, plan)
		for _, name := range []string{"path", "dir", "path"} {
			same(t, p.send(t, apply, "GET", "/plans?"+name+"=net&workspace=default", ""), `{"data":"`+base64.StdEncoding.EncodeToString([]byte("second"))+`"}`)
		}
	}},
	{"14, 15, 18 and 21: results count once, and are listed", func(t *testing.T, p protocol) {
		made := p.started(t)
		for range 2 {
			same(t, p.send(t, made, "PUT", "", netPlanned), "")
		}
		same(t, p.send(t, made, "PUT", "", hookFailed), "")
		if is := p.shown(t, made); is.State != "completed" || len(is.Dirspaces) != 1 || !is.Dirspaces[0].Success {
			t.Errorf("got %+v", is)
		}
		type step struct {
			Idx     int             `json:"idx"`
			Step    string          `json:"step"`
			Payload json.RawMessage `json:"payload"`
		}
		var full, lite struct{ Steps []step }
		p.reader.Do(t, "GET", p.path(made, "/outputs"), "").Want(t, 200).Read(t, &full)
		p.reader.Do(t, "GET", p.path(made, "/outputs?lite=true"), "").Want(t, 200).Read(t, &lite)
		if len(full.Steps) != 2 || len(lite.Steps) != 2 {
			t.Fatalf("got %d steps, and %d without what they printed", len(full.Steps), len(lite.Steps))
		}
		for i, s := range full.Steps {
			if other := lite.Steps[i]; s.Idx != i || other.Idx != i || s.Step != other.Step || s.Payload == nil || other.Payload != nil {
				t.Errorf("step %d: got %+v and %+v", i, s, other)
			}
		}
	}},
	{"16: results of an aborted run are refused", func(t *testing.T, p protocol) {
		made := p.started(t)
		p.AbortRun(t, made.ID)
		p.send(t, made, "PUT", "", netPlanned).Want(t, 403)
	}},
	{"17: a failed hook completes the run, without results of directories", func(t *testing.T, p protocol) {
		made := p.started(t)
		p.send(t, made, "PUT", "", hookFailed).Want(t, 200)
		if is := p.shown(t, made); is.State != "completed" || len(is.Dirspaces) != 1 || is.Dirspaces[0].Success || is.Dirspaces[0].HasChanges != nil {
			t.Errorf("got %+v", is)
		}
	}},
	{"19: the text of an indexer is a failure", func(t *testing.T, p protocol) {
		made := p.queued(t, run.Index)
		p.send(t, made, "PUT", "", `"Traceback: no"`).Want(t, 200)
		if is := p.shown(t, made); is.State != "completed" {
			t.Errorf("got %+v", is)
		}
		if body := p.reader.Do(t, "GET", p.path(made, "/outputs"), "").Want(t, 200).Body; !bytes.Contains(body, []byte(`"state":"failure"`)) {
			t.Errorf("got %s", body)
		}
	}},
	{"20: a file of a tree loses its leading slash", func(t *testing.T, p protocol) {
		made := p.queued(t, run.BuildTree)
		p.send(t, made, "PUT", "", `{"files":[{"path":"/a/main.tf","id":"abc","changed":true}]}`).Want(t, 200)
		if body := p.reader.Do(t, "GET", p.path(made, "/outputs"), "").Want(t, 200).Body; !bytes.Contains(body, []byte(`"path":"a/main.tf"`)) {
			t.Errorf("got %s", body)
		}
	}},
	{"24: an unlock ends a run whose CI job has died", func(t *testing.T, p protocol) {
		made := p.queued(t, run.Plan)
		runs := p.runs(t)
		is, err := runs.Get(context.Background(), made.ID)
		if err != nil {
			t.Fatal(err)
		}
		if ended, err := runs.Unlock(context.Background(), is.Repository, is.Origin(), "ann", operator(time.Now())); err != nil || len(ended) != 1 {
			t.Fatalf("ended %d runs, %v", len(ended), err)
		}
		same(t, p.initiate(t, made), noWork)
		if is := p.shown(t, made); is.State != "aborted" || is.Reason.Code != run.Unlocked {
			t.Errorf("got %+v", is)
		}
	}},
}

// serveRunners checks the rows for both hosts, which is row 23.
func serveRunners(t *testing.T, s *Stack, h *hosts) {
	in := s.Installation(t, "github")
	twin := s.Named(t, "gitlab", in.ID)
	h.github.Install(in.ID)
	key := s.Key(t, s.User(t, in, twin), "run_read")
	for _, of := range []Installation{in, twin} {
		p := protocol{Stack: s, in: of, reader: s.Client(key)}
		for _, row := range protocolRows {
			t.Run(of.VCS+" "+row.name, func(t *testing.T) { row.check(t, p) })
		}
	}
}
