package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/manifest"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/runtoken"
	"github.com/opsplane/opsplane/shared/vcs"
)

const done = `{"type":"done"}`

// onBoth runs a test for each VCS.
func onBoth(t *testing.T, test func(*testing.T, *rig, vcs.VCS)) {
	t.Parallel()
	for _, at := range vcs.All() {
		t.Run(string(at), func(t *testing.T) {
			t.Parallel()
			test(t, newRig(t), at)
		})
	}
}

func TestUnknownRunHasNoWork(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig, at vcs.VCS) {
		for _, id := range []string{string(run.NewID()), r.workToken(t, run.NewID()), "7", "x", "5b0e7f7a-8b1c-4f57-9d0e-0f8e1a2b3c4", "RUN"} {
			r.As(t, nil, "POST", "/api/"+string(at)+"/v1/work-manifests/"+id+"/initiate", started).WantBody(t, 404, "")
		}
		j := r.create(t, at, run.Plan)
		other := vcs.GitHub
		if at == other {
			other = vcs.GitLab
		}
		r.As(t, nil, "POST", strings.Replace(j.path("/initiate"), string(at), string(other), 1), started).WantBody(t, 404, "")
		if s := j.now(t).State; s != run.Queued {
			t.Errorf("the run is %s, want queued", s)
		}
	})
}

func TestSameCIJobGetsTheSameBytesUntilTheRunHasEnded(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig, at vcs.VCS) {
		j := r.create(t, at, run.Plan)
		first := j.initiate(t)
		first.Want(t, 200, "")
		for range 2 {
			r.Clock.Add(time.Hour)
			j.initiate(t).WantBody(t, 200, first.Body)
		}
		upper := r.As(t, nil, "POST", strings.Replace(j.path("/initiate"), j.work, strings.ToUpper(j.work), 1), started)
		upper.WantBody(t, 200, first.Body)
		if now := j.now(t); now.State != run.Running || now.CIRun != "777" {
			t.Errorf("got %s of CI run %q, want running of 777", now.State, now.CIRun)
		}
		r.As(t, nil, "POST", j.path("/initiate"), `{"run_id":"778","sha":"`+commit+`"}`).WantBody(t, 200, done)
		j.ask(t, "PUT", "", planned).WantBody(t, 200, "")
		j.initiate(t).WantBody(t, 200, done)
	})
}

func TestManifestHasWhatTheRunnerNeeds(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig, at vcs.VCS) {
		j := r.create(t, at, run.Plan)
		resp := j.initiate(t)
		var m struct {
			Type, Token   string
			ResultVersion int   `json:"result_version"`
			Capabilities  []any `json:"capabilities"`
			Changed       []struct {
				Path, Workspace string
				Rank            *int
			} `json:"changed_dirspaces"`
			APIBase string          `json:"api_base_url"`
			Config  json.RawMessage `json:"config"`
		}
		resp.Read(t, &m)
		if m.Type != "plan" || m.Token != j.token || m.ResultVersion != 2 || m.Capabilities == nil || len(m.Changed) != 2 || m.Changed[1].Rank == nil {
			t.Errorf("got %s", resp.Body)
		}
		if m.APIBase != "https://ops.example.com/api/"+string(at) {
			t.Errorf("got the address %q", m.APIBase)
		}
		var config struct {
			Costs struct{ Enabled *bool } `json:"cost_estimation"`
		}
		if err := json.Unmarshal(m.Config, &config); err != nil || bytes.Contains(m.Config, []byte("null")) || config.Costs.Enabled == nil || *config.Costs.Enabled {
			t.Errorf("got the configuration %s, %v; want one that turns the estimation of costs off, without null", m.Config, err)
		}
		j.ask(t, "GET", "/workspaces", "").Want(t, 200, "")
		if strings.Contains(r.Log.String(), j.token) || strings.Contains(r.Log.String(), j.work) {
			t.Errorf("the log holds the token or the work token of the run: %s", r.Log.String())
		}
	})
}

func TestCIJobOfAnotherCommitAbortsTheRun(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig, at vcs.VCS) {
		j := r.create(t, at, run.Plan)
		for range 2 {
			r.As(t, nil, "POST", j.path("/initiate"), `{"run_id":"777","sha":"0000"}`).WantBody(t, 200, done)
		}
		now := j.now(t)
		if now.State != run.Aborted || now.Reason.Code != run.WrongCommit || now.CIRun != "777" {
			t.Errorf("got %s %+v of CI run %q", now.State, now.Reason, now.CIRun)
		}
		if found, err := r.runs.ByCIRun(t.Context(), now.Repository, "777"); err != nil || found.ID != j.id {
			t.Errorf("the CI run leads to %s, %v", found.ID, err)
		}
		j.ask(t, "PUT", "", planned).WantBody(t, 403, "")
	})
}

func TestRunThatNobodyHasClaimedHasNoWorkYet(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.create(t, vcs.GitHub, run.Plan)
	if _, _, err := r.runs.Abort(t.Context(), first.id, runstore.Abortion{Reason: run.ReasonByPerson("ann")}, r.Author()); err != nil {
		t.Fatal(err)
	}
	first.initiate(t).WantBody(t, 200, done)
	unclaimed := first.now(t).Spec
	unclaimed.ID = run.NewID()
	c := runstore.Creation{Spec: unclaimed, Token: runstore.Token{Hash: []byte("h"), Sealed: []byte("s")}, Manifest: runstore.Manifest{Body: []byte("{}")}}
	if _, err := r.runs.Create(t.Context(), c, r.Author()); err != nil {
		t.Fatal(err)
	}
	r.As(t, nil, "POST", "/api/github/v1/work-manifests/"+r.workToken(t, unclaimed.ID)+"/initiate", started).WantBody(t, 200, done)
}

func TestCIJobMustSayWhoItIs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	j := r.create(t, vcs.GitHub, run.Plan)
	for _, body := range []string{
		``, `null`, `[]`, `7`, `{`, `{}`, `{"run_id":"777"}`, `{"sha":"` + commit + `"}`, `{"run_id":777,"sha":"` + commit + `"}`, `{"run_id":"","sha":"a"}`,
		`{"run_id":"7","sha":""}`, `{"run_id":"7 8","sha":"a"}`, `{"run_id":"7","sha":"a\u0000"}`, `{"run_id":"` + strings.Repeat("7", 201) + `","sha":"a"}`,
	} {
		r.As(t, nil, "POST", j.path("/initiate"), body).Want(t, 400, "INVALID_BODY")
	}
	if s := j.now(t).State; s != run.Queued {
		t.Errorf("the run is %s, want queued", s)
	}
	r.As(t, nil, "POST", j.path("/initiate"), `{"run_id":"777","sha":"`+commit+`","of_a_later_version":{"a":[null]}}`).Want(t, 200, "")
}

func TestLargeManifestIsReadFromTheBucket(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	j := r.create(t, vcs.GitHub, run.Plan)
	document := []byte(`{"type":"plan","config":{"x":"` + strings.Repeat("<&é", 150_000) + `"}}`)
	spec := j.now(t).Spec
	spec.ID, spec.Repository.ID = run.NewID(), "8"
	token := runtoken.New(spec.ID)
	sealed, err := r.box.Seal(t.Context(), runtoken.Place(spec.ID), []byte(token))
	if err != nil {
		t.Fatal(err)
	}
	name := runstore.ManifestObject(spec.ID)
	if _, err := r.Env.S3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(r.Env.Bucket("RunsBucket")), Key: &name, Body: bytes.NewReader(document)}); err != nil {
		t.Fatal(err)
	}
	c := runstore.Creation{Spec: spec, Token: runstore.Token{Hash: runtoken.Digest(token), Sealed: sealed}, Manifest: runstore.Manifest{Object: name}}
	if _, err := r.runs.Create(t.Context(), c, r.Author()); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := r.runs.Claim(t.Context(), spec.Repository, time.Minute, r.Author()); err != nil || !ok {
		t.Fatal(ok, err)
	}
	want, err := manifest.WithToken(document, token)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r.As(t, nil, "POST", "/api/github/v1/work-manifests/"+r.workToken(t, spec.ID)+"/initiate", started).WantBody(t, 200, string(want))
	}
}

func TestTokenOfGitHubIsUsedForLessThanAMinute(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	j := r.start(t, vcs.GitHub, run.Plan)
	token := func() string {
		t.Helper()
		event := j.ask(t, "POST", "/access-token", "")
		var body struct {
			AccessToken string `json:"access_token"`
		}
		event.Read(t, &body)
		if body.AccessToken == "" {
			t.Fatalf("got %s", event.Body)
		}
		return body.AccessToken
	}
	first := token()
	r.Clock.Add(tokenAge - time.Second)
	if again := token(); again != first {
		t.Error("got another token within 50 seconds")
	}
	r.Clock.Add(2 * time.Second)
	if later := token(); later == first {
		t.Error("got the token of 51 seconds ago")
	}
	if strings.Contains(r.Log.String(), first) {
		t.Error("the log holds the token")
	}
	r.Clock.Add(time.Minute)
	r.github.Uninstall("42")
	j.ask(t, "POST", "/access-token", "").Want(t, 503, "HOST_UNAVAILABLE")
	r.start(t, vcs.GitLab, run.Plan).ask(t, "POST", "/access-token", "").WantBody(t, 404, "")
	j.ask(t, "PUT", "", planned).WantBody(t, 200, "")
	j.ask(t, "POST", "/access-token", "").WantBody(t, 403, "")
}

func TestRequestForATokenHasNeitherBodyNorContentType(t *testing.T) {
	t.Parallel()
	j := newRig(t).start(t, vcs.GitHub, run.Plan)
	event := httpapitest.Event(t, "POST", j.path("/access-token"), j.caller(t), "")
	event.MultiValueHeaders = map[string][]string{"User-Agent": {"python-requests/2.32"}}
	j.Send(t, event).Want(t, 200, "")
}

func TestTokenOfAnotherRunIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig, at vcs.VCS) {
		j, other := r.start(t, at, run.Plan), r.start(t, at, run.Plan)
		for _, c := range []struct{ method, rest, body string }{
			{"POST", "/plans", planBody(net, "x", "")},
			{"GET", "/plans?path=net&workspace=default", ""},
			{"PUT", "", planned},
			{"GET", "/workspaces", ""},
			{"POST", "/workspaces", ""},
		} {
			r.As(t, other.caller(t), c.method, j.path(c.rest), c.body).WantBody(t, 403, "")
			r.As(t, nil, c.method, j.path(c.rest), c.body).WantBody(t, 403, "")
			r.As(t, functiontest.Token("ann", access.Strings()...), c.method, j.path(c.rest), c.body).WantBody(t, 403, "")
			wrong := strings.Replace(j.path(c.rest), "/api/"+string(at), "/api/"+string(otherVCS(at)), 1)
			r.As(t, j.caller(t), c.method, wrong, c.body).WantBody(t, 403, "")
		}
		if at == vcs.GitHub {
			r.As(t, other.caller(t), "POST", j.path("/access-token"), "").WantBody(t, 403, "")
		}
		if now := j.now(t); now.State != run.Running {
			t.Errorf("the run is %s, want running", now.State)
		}
	})
}

func otherVCS(at vcs.VCS) vcs.VCS {
	return vcs.All()[1-slices.Index(vcs.All(), at)]
}

func TestWorkspacesAreThoseOfAnActiveRun(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig, at vcs.VCS) {
		j := r.create(t, at, run.Plan)
		for _, method := range []string{"GET", "POST"} {
			j.ask(t, method, "/workspaces", "").WantBody(t, 200, `[{"dir":"app","workspace":"prod"},{"dir":"net","workspace":"default"}]`)
		}
		j.ask(t, "PUT", "", planned).WantBody(t, 200, "")
		for _, method := range []string{"GET", "POST"} {
			j.ask(t, method, "/workspaces", "").WantBody(t, 403, "")
		}
	})
}
