package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestRunIsStartedWithWhatItsRunnerNeeds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, on := range []vcs.Repository{onGitHub, onGitLab} {
		s := spec(on, run.Plan, "a")
		s.Environment, s.RunsOn = "prod", `["self-hosted","linux"]`
		id := w.create(t, s)
		if n := w.dispatch(t, on).Started.Load(); n != 1 {
			t.Fatalf("%s: started %d runs", on, n)
		}
		ci := w.ci(on).Runs()[0]
		want := map[string]any{"work-token": workToken(id), "api-base-url": "https://ops.example.com/api/github", "environment": "prod", "runs_on": `["self-hosted","linux"]`}
		host, link := strconv.FormatInt(ci.ID, 10), strconv.FormatInt(ci.ID, 10)
		if on == onGitLab {
			want = map[string]any{"WORK_TOKEN": workToken(id), "API_BASE_URL": "https://ops.example.com/api/gitlab"}
			link = run.PipelineID(host)
		}
		for name, value := range want {
			if ci.Inputs[name] != value {
				t.Errorf("%s: %s is %v, want %v", on, name, ci.Inputs[name], value)
			}
		}
		if sent := fmt.Sprint(ci.Inputs); strings.Contains(sent, string(id)) {
			t.Errorf("%s: the host gets the id of the run: %s", on, sent)
		}
		r := w.get(t, id)
		if r.State != run.Queued || !r.Dispatch.Dispatched() || r.HostID() != host || !strings.Contains(r.URL, host) || ci.Branch != "feature" {
			t.Errorf("%s: %+v, host id %q", on, r.Dispatch, r.HostID())
		}
		if found, err := w.runs.ByCIRun(t.Context(), on, link); err != nil || found.ID != id {
			t.Errorf("%s: by the host's run: %s, %v", on, found.ID, err)
		}
		w.dispatch(t, on)
		w.minutes(t, 3)
		if n := w.startedFor(id); n != 1 {
			t.Errorf("%s: started %d times", on, n)
		}
	}
}

func TestRunWaitsWhileTheServersSecretCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.plan(t, onGitHub)
	d, broken := w.dispatcher(), errors.New("no secret")
	d.WorkToken = func(context.Context, run.ID) (string, error) { return "", broken }
	if err := d.Repository(t.Context(), onGitHub); !errors.Is(err, broken) {
		t.Errorf("got %v, want the failure to read the secret", err)
	}
	if r := w.get(t, id); r.State != run.Queued || !r.Dispatch.AskedAt.IsZero() || w.startedFor(id) != 0 {
		t.Errorf("got %s, %+v, %d jobs", r.State, r.Dispatch, w.startedFor(id))
	}
	w.minutes(t, 3)
	if n := w.startedFor(id); n != 1 {
		t.Errorf("started %d times after the secret could be read, want once", n)
	}
}

func TestRunThatCannotBeStartedEndsWithWhatAPersonDoes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		on      vcs.Repository
		prepare func(*world)
		change  func(*run.Spec)
		code    run.ReasonCode
		words   []string
	}{
		"no workflow file": {
			on: onGitHub, code: run.WorkflowMissing, words: []string{".github/workflows/terrateam.yml", "start the run again"},
			prepare: func(w *world) {
				w.github.Install("42", vcstest.Repository{ID: 7, Owner: "acme", Name: "infra", Branches: map[string]string{"feature": "bb"}})
			},
		},
		"workflow without the trigger": {
			on: onGitHub, code: run.DispatchRefused, words: []string{"does not have 'workflow_dispatch' trigger", "Correct the workflow file"},
			prepare: failing("/dispatches", 422, `{"message":"Workflow does not have 'workflow_dispatch' trigger"}`),
		},
		"undeclared input": {
			on: onGitHub, code: run.DispatchRefused, words: []string{"Unexpected inputs", "declare these inputs in the workflow file"},
			prepare: func(w *world) { w.github.CI.Inputs = []string{} },
		},
		"branch that is gone": {
			on: onGitHub, code: run.BranchMissing, words: []string{"gone does not exist"}, change: func(s *run.Spec) { s.Source.Branch = "gone" },
		},
		"branch that is gone at GitLab": {
			on: onGitLab, code: run.BranchMissing, words: []string{"gone does not exist"}, change: func(s *run.Spec) { s.Source.Branch = "gone" },
		},
		"permission that is missing": {
			on: onGitHub, code: run.DispatchRefused, words: []string{"has not accepted a permission", "Resource not accessible by integration"},
			prepare: failing("/dispatches", 403, `{"message":"Resource not accessible by integration"}`),
		},
		"identity that is not verified": {
			on: onGitLab, code: run.DispatchRefused, words: []string{"Identity verification is required", "verify its identity at GitLab"},
			prepare: failing("/pipeline", 400, `{"message":{"base":["Identity verification is required in order to run CI jobs"]}}`),
		},
		"missing inputs at GitLab": {
			on: onGitLab, code: run.DispatchRefused, words: []string{"Given inputs not defined", "spec.inputs of .gitlab-ci.yml"},
			prepare: func(w *world) { w.gitlab.CI.Inputs = []string{} },
		},
		"message that is empty": {
			on: onGitHub, code: run.DispatchRefused, words: []string{"status 422"}, prepare: failing("/dispatches", 422, `{}`),
		},
		"repository that is gone": {
			on: onGitLab, code: run.DispatchRefused, words: []string{"no repository acme/infra", "access"},
			prepare: func(w *world) {
				w.gitlab.Set(vcstest.Group{ID: 77, FullPath: "acme", Inherited: map[int64]int{9: 40}})
			},
		},
		"no token of the group": {
			on: vcs.Installation{VCS: vcs.GitLab, ID: "78"}.Repository("9"), code: run.DispatchRefused, words: []string{"no access token is stored", "access-token"},
		},
		"installation that is gone": {
			on: onGitHub, code: run.DispatchRefused, words: []string{"no such installation", "install the GitHub App"},
			prepare: func(w *world) { w.github.Uninstall("42") },
		},
		"server without an address": {
			on: onGitHub, code: run.NotConfigured, words: []string{"PublicBaseUrl", "operator"}, prepare: func(w *world) { w.base = "" },
		},
		"labels that are none": {
			on: onGitHub, code: run.DispatchRefused, words: []string{"runs_on"}, change: func(s *run.Spec) { s.RunsOn = `{"group":"x"}` },
		},
	} {
		w := newWorld(t)
		if c.prepare != nil {
			c.prepare(w)
		}
		s := spec(c.on, run.Apply, "a")
		if c.change != nil {
			c.change(&s)
		}
		id := w.create(t, s)
		tally := w.dispatch(t, c.on)
		r := w.get(t, id)
		if r.State != run.Aborted || r.Reason.Code != c.code || tally.Refused.Load() != 1 {
			t.Errorf("%s: the run is %s because of %q (%s)", name, r.State, r.Reason.Code, r.Reason.Text)
		}
		for _, words := range c.words {
			if !strings.Contains(r.Reason.Text, words) {
				t.Errorf("%s: the reason %q does not say %q", name, r.Reason.Text, words)
			}
		}
		w.minutes(t, 3)
		if n := w.startedFor(id); n != 0 {
			t.Errorf("%s: started %d times", name, n)
		}
	}
}

// failing makes a host fail requests with a status and a body.
func failing(match string, status int, body string) func(*world) {
	return func(w *world) {
		f := vcstest.Failure{Match: match, Status: status, Body: body}
		w.github.Fail(f)
		w.gitlab.Fail(f)
	}
}

func TestRepositoryWaitsAsLongAsItsHostAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.plan(t, onGitHub), w.plan(t, onGitHub)
	w.github.Fail(vcstest.Failure{Match: "/dispatches", Status: 429, Header: http.Header{"Retry-After": {"600"}}})
	w.dispatch(t, onGitHub)
	w.dispatch(t, onGitHub)
	w.minutes(t, 9)
	if n := w.github.Asked("POST /repos/acme/infra/actions"); n != 1 {
		t.Errorf("the host was asked %d times while it asked to wait", n)
	}
	if r := w.get(t, first); r.State != run.Queued || !strings.Contains(r.Dispatch.Problem, "GitHub accepts no more requests for 10m0s") || w.get(t, second).Dispatch.Claimed() {
		t.Errorf("%+v", r.Dispatch)
	}
	w.github.Heal()
	w.minutes(t, 4)
	if a, b := w.startedFor(first), w.startedFor(second); a != 1 || b != 1 {
		t.Errorf("started %d and %d times", a, b)
	}
	if r := w.get(t, first); r.Dispatch.Problem != "" || !r.Dispatch.FailingSince.IsZero() || r.Dispatch.Attempt != 2 {
		t.Errorf("%+v", r.Dispatch)
	}
}

func TestRunEndsIfItsHostIsAwayForLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.plan(t, onGitHub)
	w.github.Fail(vcstest.Failure{Match: "access_tokens", Status: 502})
	w.dispatch(t, onGitHub)
	w.minutes(t, 100)
	if r := w.get(t, id); r.State != run.Queued || r.Dispatch.Attempt < 8 || r.Dispatch.Unknown() {
		t.Errorf("%s, %+v", r.State, r.Dispatch)
	}
	w.minutes(t, 40)
	if r := w.get(t, id); r.State != run.Aborted || r.Reason.Code != run.HostUnavailable || !strings.Contains(r.Reason.Text, "GitHub does not answer as it should") {
		t.Errorf("%s: %+v", r.State, r.Reason)
	}
}

// TestLostResponseIsNotRepeated loses the response of a host, for a run that the host
// has started and for one that it has not.
func TestLostResponseIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, on := range []vcs.Repository{onGitHub, onGitLab} {
		for _, reached := range []bool{true, false} {
			w := newWorld(t)
			id := w.plan(t, on)
			path := map[vcs.VCS]string{vcs.GitHub: "/dispatches", vcs.GitLab: "/pipeline"}[on.Installation.VCS]
			failing(path, 500, "")(w)
			if tally := w.dispatch(t, on); tally.Unknown.Load() != 1 {
				t.Fatalf("%s: %d are unknown", on, tally.Unknown.Load())
			}
			w.github.Heal()
			w.gitlab.Heal()
			w.minutes(t, 14)
			r := w.get(t, id)
			if r.State != run.Queued || !strings.Contains(r.Dispatch.Problem, "lost") {
				t.Fatalf("%s: %s, %+v", on, r.State, r.Dispatch)
			}
			if reached && !w.initiate(t, id, "9001") {
				t.Errorf("%s: the runner gets no work", on)
			}
			w.minutes(t, 2)
			r = w.get(t, id)
			if reached && r.State != run.Running || !reached && (r.Reason.Code != run.NeverStarted || !strings.Contains(r.Reason.Text, "not known whether the host started")) {
				t.Errorf("%s, reached %t: %s, %+v", on, reached, r.State, r.Reason)
			}
			if n := len(w.ci(on).Runs()); n != 0 {
				t.Errorf("%s: the host was asked again", on)
			}
		}
	}
}

func TestRunThatEndsWhileTheHostIsAskedIsCancelledThere(t *testing.T) {
	t.Parallel()
	for _, on := range []vcs.Repository{onGitHub, onGitLab} {
		w := newWorld(t)
		id := w.plan(t, on)
		w.ci(on).OnStart = func(vcstest.CIRun) {
			if _, _, err := w.runs.Abort(t.Context(), id, runstore.Abortion{Reason: run.ReasonByPerson("ann")}, w.author()); err != nil {
				t.Error(err)
			}
		}
		w.dispatch(t, on)
		if ci := w.ci(on).Runs()[0]; !cancelled(ci) {
			t.Errorf("%s: the CI run is %s %s", on, ci.Status, ci.Conclusion)
		}
	}
}

func cancelled(ci vcstest.CIRun) bool { return ci.Conclusion == "cancelled" || ci.Status == "canceled" }

func TestAppliesOfADirectoryRunOneAfterTheOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.create(t, spec(onGitHub, run.Apply, "a", "b")), w.create(t, spec(onGitHub, run.Apply, "b"))
	other := w.create(t, spec(onGitHub, run.Plan, "c"))
	w.dispatch(t, onGitHub)
	w.minutes(t, 5)
	w.initiate(t, first, "9001")
	w.minutes(t, 5)
	if got := []int{w.startedFor(first), w.startedFor(second), w.startedFor(other)}; !slices.Equal(got, []int{1, 0, 1}) {
		t.Errorf("started %v times", got)
	}
	result := run.Result{Outcomes: make([]run.Outcome, 2), Success: true}
	if _, err := w.runs.Complete(t.Context(), first, result, w.author()); err != nil {
		t.Fatal(err)
	}
	w.minutes(t, 3) // the stream has shown nothing
	if n := w.startedFor(second); n != 1 {
		t.Errorf("the second apply was started %d times", n)
	}
	if w.plans.removed[first] != 1 || len(w.plans.removed) != 1 {
		t.Errorf("the plans of %v were removed", w.plans.removed)
	}
}

func TestDeadlineKeepsRunsFromBeingClaimed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.plan(t, onGitHub)
	ctx, cancel := contextUntil(t, 10*time.Second)
	defer cancel()
	if err := w.dispatcher().Repository(ctx, onGitHub); err != nil {
		t.Fatal(err)
	}
	if w.get(t, id).Dispatch.Claimed() {
		t.Error("a run was claimed although there is no time to start it")
	}
}
