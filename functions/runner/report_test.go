package main

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Results of a plan and of an apply of net; app has no steps.
const (
	planned = `{"steps":[
{"step":"tf/init","success":true,"ignore_errors":false,"scope":{"type":"dirspace","dir":"net","workspace":"default"},"payload":{"text":"init","visible_on":"error"}},
{"step":"tf/plan","success":true,"ignore_errors":false,"scope":{"type":"dirspace","dir":"net","workspace":"default"},
 "payload":{"plan":"-   resource","text":"  - resource\nPlan: 0 to add, 0 to change, 1 to destroy.\u0000","has_changes":true,"visible_on":"always"}}],
"gates":[{"all_of":["a"],"any_of":null,"any_of_count":0,"token":null,"name":null,"dir":null,"workspace":null}]}`
	applied = `{"steps":[{"step":"tf/apply","success":true,"ignore_errors":false,"scope":{"type":"dirspace","dir":"net","workspace":"default"},
"payload":{"text":"Apply complete!","outputs":{"id":{"sensitive":false,"type":"string","value":"shown"},"password":{"sensitive":true,"type":"string","value":"hidden-8fa1"}}}}]}`
	hookFailed = `{"steps":[{"step":"run","success":false,"ignore_errors":false,"scope":{"type":"run","flow":"hooks","subflow":"pre"},"payload":{"text":"boom","exit_code":1,"cmd":["false"]}}]}`
)

func TestResultsCompleteTheRunOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig, at vcs.VCS) {
		j := r.start(t, at, run.Plan)
		j.store(t, net, "plan", "").WantBody(t, 200, "")
		j.store(t, app, "plan", `,"has_changes":false`).WantBody(t, 200, "")
		j.ask(t, "PUT", "", planned).WantBody(t, 200, "")
		want := j.now(t)
		if want.State != run.Completed || want.Result == nil || !want.Result.Success || want.Result.Steps != 2 || want.Result.Gates == "" {
			t.Fatalf("got %+v", want)
		}
		all := run.HasResult | run.Succeeded | run.PlanStored | run.HasChanges | run.Destroys
		if got := want.Result.Outcomes; len(got) != 2 || got[0] != run.PlanStored || got[1] != all {
			t.Errorf("got the outcomes %05b, want those of app and net", got)
		}
		for _, body := range []string{planned, hookFailed, `{`, ``} {
			j.ask(t, "PUT", "", body).WantBody(t, 200, "")
		}
		if again := j.now(t); again.Version != want.Version || again.Result.Payload != want.Result.Payload {
			t.Errorf("a repeated result changed the run: %+v", again)
		}
		full, lite := j.steps(t, false), j.steps(t, true)
		if len(full) != 2 || len(lite) != 2 {
			t.Fatalf("got %d and %d steps", len(full), len(lite))
		}
		for i := range full {
			if full[i].Name != lite[i].Name || full[i].Idx != i || lite[i].Payload != nil || len(full[i].Payload) == 0 {
				t.Errorf("step %d: got %+v and %+v", i, full[i], lite[i])
			}
		}
		if strings.Contains(string(full[1].Payload), `\u0000`) {
			t.Errorf("got %s, want no NUL character", full[1].Payload)
		}
		if gates, err := r.outputs.Gates(t.Context(), *want.Result); err != nil || len(gates) != 1 {
			t.Errorf("got the gates %+v, %v", gates, err)
		}
	})
}

func TestRunWhoseHookFailedHasNoResultsOfDirectories(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig, at vcs.VCS) {
		j := r.start(t, at, run.Plan)
		j.ask(t, "PUT", "", hookFailed).WantBody(t, 200, "")
		now := j.now(t)
		if now.State != run.Completed || now.Result.Success || now.Result.Outcomes[0]|now.Result.Outcomes[1] != 0 {
			t.Errorf("got %+v", now.Result)
		}
	})
}

func TestOldFormOfResultsIsAccepted(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig, at vcs.VCS) {
		j := r.start(t, at, run.Apply)
		j.ask(t, "PUT", "", `{"overall":{"success":false,"outputs":{"pre":[],"post":[]}},"dirspaces":[{"path":"net","workspace":"default","success":false,"outputs":[]}]}`).WantBody(t, 200, "")
		if now := j.now(t); now.State != run.Completed || now.Result.Success || !now.Result.Outcomes[1].Has(run.HasResult) || now.Result.Outcomes[1].Has(run.Succeeded) {
			t.Errorf("got %+v", now.Result)
		}
	})
}

func TestResultOfAQueuedRunCounts(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig, at vcs.VCS) {
		j := r.create(t, at, run.Plan)
		j.ask(t, "PUT", "", planned).WantBody(t, 200, "")
		if now := j.now(t); now.State != run.Completed || now.StartedAt.IsZero() {
			t.Errorf("got %+v", now)
		}
	})
}

func TestResultsOfAnAbortedRunAreRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig, at vcs.VCS) {
		j := r.start(t, at, run.Plan)
		if _, _, err := r.runs.Abort(t.Context(), j.id, runstore.Abortion{Reason: run.ReasonByPerson("ann")}, r.Author()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			j.ask(t, "PUT", "", planned).WantBody(t, 403, "")
		}
		if now := j.now(t); now.State != run.Aborted || now.Reason.Code != run.ByPerson || now.Result != nil {
			t.Errorf("got %+v", now)
		}
	})
}

func TestResultsThatCannotBeReadAbortTheRunWithAReason(t *testing.T) {
	for _, body := range []string{``, `{`, `{}`, `{"steps":7}`, `"text"`, `{"paths":{},"version":1,"success":true}`, `{"msg":"x"}`} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			j := newRig(t).start(t, vcs.GitHub, run.Plan)
			resp := j.ask(t, "PUT", "", body)
			resp.Want(t, 400, "INVALID_RESULT")
			now := j.now(t)
			if now.State != run.Aborted || now.Reason.Code != run.ResultRefused || len(now.Reason.Text) < 20 {
				t.Errorf("got %s %+v", now.State, now.Reason)
			}
			j.ask(t, "PUT", "", planned).WantBody(t, 403, "")
		})
	}
}

func TestIndexesAndBuildersCompleteWhateverTheySend(t *testing.T) {
	for name, c := range map[string]struct {
		of      run.Type
		body    string
		success bool
		payload string
	}{
		"index":                 {run.Index, `{"paths":{"app":{"modules":["m"],"failures":{}}},"symlinks":{"a":"b"},"version":1,"success":true}`, true, `"modules":["m"]`},
		"index that failed":     {run.Index, `{"paths":{},"version":1,"success":false}`, false, `the indexer failed`},
		"text of an indexer":    {run.Index, `"Traceback\u0000: no"`, false, `Traceback`},
		"index without form":    {run.Index, `{"paths":7,"success":true}`, false, `paths`},
		"index that is no JSON": {run.Index, `{`, false, `is not JSON`},
		"configuration":         {run.BuildConfig, `{"config":{"version":"1","x":null}}`, true, `"config":{"version":"1"`},
		"builder that failed":   {run.BuildConfig, `{"msg":"[Errno 32] Broken pipe"}`, false, `Broken pipe`},
		"tree":                  {run.BuildTree, `{"files":[{"path":"/a/main.tf","id":"abc","changed":true},{"path":"b.tf","id":"d"}]}`, true, `{"files":[{"path":"a/main.tf","id":"abc","changed":true},{"path":"b.tf","id":"d"}]}`},
		"steps of a builder":    {run.BuildTree, planned, false, `another kind`},
		"tree of an index":      {run.Index, `{"files":[]}`, false, `another kind`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			for _, at := range vcs.All() {
				j := r.start(t, at, c.of)
				for range 2 {
					j.ask(t, "PUT", "", c.body).WantBody(t, 200, "")
				}
				now := j.now(t)
				if now.State != run.Completed || now.Result.Success != c.success || now.Result.Steps != 1 {
					t.Fatalf("got %s %+v", now.State, now.Result)
				}
				s := j.steps(t, false)[0]
				if s.Name != string(c.of) || s.Success != c.success || !strings.Contains(string(s.Payload), c.payload) || !json.Valid(s.Payload) {
					t.Errorf("got %+v with %s, want %s", s, s.Payload, c.payload)
				}
			}
		})
	}
}

func TestOneOfSeveralResultsAtOnceCounts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	j := r.start(t, vcs.GitHub, run.Plan)
	caller := j.caller(t)
	var all sync.WaitGroup
	for i := range 8 {
		body := planned
		if i%2 == 0 {
			body = hookFailed
		}
		all.Go(func() { r.As(t, caller, "PUT", j.path(""), body).WantBody(t, 200, "") })
	}
	all.Wait()
	now := j.now(t)
	if got := j.steps(t, false); now.State != run.Completed || len(got) != now.Result.Steps || (len(got) == 2) != now.Result.Success {
		t.Errorf("got %+v with %d steps", now.Result, len(got))
	}
}

func TestResultOfSixMegabytesIsStored(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	j := r.start(t, vcs.GitHub, run.Plan)
	text := strings.Repeat("a line of a plan\\n", 340_000)
	j.ask(t, "PUT", "", strings.Replace(planned, `"text":"init"`, `"text":"`+text+`"`, 1)).WantBody(t, 200, "")
	if now := j.now(t); now.State != run.Completed || !now.Result.Success {
		t.Errorf("got %+v", now.Result)
	}
}
