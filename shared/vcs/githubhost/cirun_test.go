package githubhost_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

var infra = vcs.Description{ID: "7", Owner: "acme", Name: "infra"}

// withWorkflow installs a repository with a workflow file and a branch.
func withWorkflow(host *vcstest.GitHub, files ...string) {
	host.Install("42", vcstest.Repository{ID: 7, Owner: "acme", Name: "infra", DefaultBranch: "main", Files: files, Branches: map[string]string{"main": "b0", "feature": "c1"}})
}

var start = vcshost.CIStart{Branch: "feature", WorkToken: "token-1", APIBaseURL: "https://ops.example.com/api/github"}

func TestWorkflowIsStartedWithTheInputsThatAreNeeded(t *testing.T) {
	t.Parallel()
	app, host := newApp(t)
	withWorkflow(host, githubhost.Workflow)
	client := open(t, app, "42")
	needed := map[string]any{"work-token": "token-1", "api-base-url": "https://ops.example.com/api/github"}
	full := map[string]any{"work-token": "token-1", "api-base-url": "https://ops.example.com/api/github", "environment": "prod", "runs_on": `["self-hosted","linux"]`}
	one := map[string]any{"work-token": "token-1", "api-base-url": "https://ops.example.com/api/github", "runs_on": `"ubuntu-latest"`}
	for i, c := range []struct {
		environment string
		runsOn      []string
		want        map[string]any
	}{{"", nil, needed}, {"prod", []string{"self-hosted", "linux"}, full}, {"", []string{"ubuntu-latest"}, one}} {
		s := start
		s.Environment, s.RunsOn = c.environment, c.runsOn
		run, err := client.StartCI(t.Context(), infra, s)
		if err != nil || run.ID == "" || !strings.HasPrefix(run.URL, "https://github.example.com/acme/infra/actions/runs/") {
			t.Fatalf("got %+v, %v", run, err)
		}
		if got := host.CI.Runs()[i]; got.Branch != "feature" || !reflect.DeepEqual(got.Inputs, c.want) {
			t.Errorf("the workflow was started with %v on %s, want %v", got.Inputs, got.Branch, c.want)
		}
	}
	if n := host.Asked("GET /repos/acme/infra/actions/workflows"); n != 0 {
		t.Errorf("the workflows were listed %d times although the usual path exists", n)
	}
}

func TestWorkflowWithAnotherPathIsFoundByItsName(t *testing.T) {
	t.Parallel()
	app, host := newApp(t)
	withWorkflow(host, ".github/workflows/infrastructure.yaml")
	if run, err := open(t, app, "42").StartCI(t.Context(), infra, start); err != nil || run.ID == "" {
		t.Errorf("got %+v, %v", run, err)
	}
}

func TestHostWithoutRunDetailsIsAskedForThemOnce(t *testing.T) {
	t.Parallel()
	app, host := newApp(t)
	withWorkflow(host, githubhost.Workflow)
	host.CI.WithoutDetails = true
	for range 3 {
		if run, err := open(t, app, "42").StartCI(t.Context(), infra, start); err != nil || run.ID != "" {
			t.Fatalf("got %+v, %v", run, err)
		}
	}
	if n, runs := host.Asked("POST /repos/acme/infra/actions/workflows"), len(host.CI.Runs()); n != 4 || runs != 3 {
		t.Errorf("%d requests started %d runs, want 4 and 3", n, runs)
	}
}

func TestReasonWhyNoWorkflowStartsIsTold(t *testing.T) {
	t.Parallel()
	const dispatches = "/dispatches"
	for name, c := range map[string]struct {
		files   []string
		inputs  []string
		branch  string
		failure vcstest.Failure
		is      error
		words   string // of a rejection
		unknown bool   // the workflow may have been started
	}{
		"no workflow file":       {nil, nil, "feature", vcstest.Failure{}, vcshost.ErrNoWorkflow, "", false},
		"branch that is gone":    {[]string{githubhost.Workflow}, nil, "gone", vcstest.Failure{}, vcshost.ErrNoBranch, "No ref found for: gone", false},
		"input not declared":     {[]string{githubhost.Workflow}, []string{"work-token"}, "feature", vcstest.Failure{}, nil, `Unexpected inputs provided: ["api-base-url"]`, false},
		"no trigger":             {[]string{githubhost.Workflow}, nil, "feature", vcstest.Failure{Match: dispatches, Status: 422, Body: `{"message":"Workflow does not have 'workflow_dispatch' trigger"}`}, vcshost.ErrNoWorkflow, "Workflow does not have 'workflow_dispatch' trigger", false},
		"permission is missing":  {[]string{githubhost.Workflow}, nil, "feature", vcstest.Failure{Match: dispatches, Status: 403, Body: `{"message":"Resource not accessible by integration"}`}, vcshost.ErrForbidden, "", false},
		"limit":                  {[]string{githubhost.Workflow}, nil, "feature", vcstest.Failure{Match: dispatches, Status: 429}, nil, "", false},
		"response that was lost": {[]string{githubhost.Workflow}, nil, "feature", vcstest.Failure{Match: dispatches, Status: 0}, nil, "", true},
		"failure of the host":    {[]string{githubhost.Workflow}, nil, "feature", vcstest.Failure{Match: dispatches, Status: 502}, nil, "", true},
	} {
		app, host := newApp(t)
		withWorkflow(host, c.files...)
		host.CI.Inputs = c.inputs
		if c.failure.Match != "" {
			host.Fail(c.failure)
		}
		s := start
		s.Branch = c.branch
		run, err := open(t, app, "42").StartCI(t.Context(), infra, s)
		if err == nil || run != (vcshost.CIRun{}) || c.is != nil && !errors.Is(err, c.is) || vcshost.NothingDone(err) == c.unknown {
			t.Errorf("%s: got %+v, %v; want %v, unknown %t", name, run, err, c.is, c.unknown)
		}
		var rejected *vcshost.Rejection
		if errors.As(err, &rejected) != (c.words != "") || rejected != nil && rejected.Words != c.words {
			// The order of two undeclared inputs is the host's.
			if name != "input not declared" || rejected == nil || !strings.HasPrefix(rejected.Words, "Unexpected inputs provided: [") {
				t.Errorf("%s: got %v, want the words %q", name, err, c.words)
			}
		}
	}
}

func TestProgressOfAWorkflowRunIsRead(t *testing.T) {
	t.Parallel()
	app, host := newApp(t)
	withWorkflow(host, githubhost.Workflow)
	client := open(t, app, "42")
	run, err := client.StartCI(t.Context(), infra, start)
	if err != nil {
		t.Fatal(err)
	}
	id := host.CI.Runs()[0].ID
	for _, c := range []struct {
		status, conclusion string
		want               vcshost.CIStatus
	}{
		{"queued", "", vcshost.CIActive},
		{"in_progress", "", vcshost.CIActive},
		{"waiting", "", vcshost.CIActive},
		{"completed", "success", vcshost.CIEnded},
		{"completed", "startup_failure", vcshost.CIEnded},
		{"completed", "timed_out", vcshost.CIEnded},
		{"completed", "cancelled", vcshost.CICancelled},
	} {
		host.CI.Set(id, c.status, c.conclusion)
		got, err := client.CIProgress(t.Context(), infra, run.ID)
		if want := (vcshost.CIProgress{CIRun: run, Status: c.want, Conclusion: c.conclusion}); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	for _, id := range []string{"1", "abc", ""} {
		if got, err := client.CIProgress(t.Context(), infra, id); !errors.Is(err, vcshost.ErrGone) {
			t.Errorf("%q: got %+v, %v", id, got, err)
		}
	}
}

func TestWorkflowRunIsCancelledOnceOrMore(t *testing.T) {
	t.Parallel()
	app, host := newApp(t)
	withWorkflow(host, githubhost.Workflow)
	client := open(t, app, "42")
	run, err := client.StartCI(t.Context(), infra, start)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{run.ID, run.ID, "1", ""} {
		if err := client.CancelCI(t.Context(), infra, id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	if got, err := client.CIProgress(t.Context(), infra, run.ID); err != nil || got.Status != vcshost.CICancelled {
		t.Errorf("got %+v, %v", got, err)
	}
	host.Fail(vcstest.Failure{Match: "/cancel", Status: 403, Body: `{"message":"Resource not accessible by integration"}`})
	if err := client.CancelCI(t.Context(), infra, run.ID); !errors.Is(err, vcshost.ErrForbidden) {
		t.Errorf("got %v", err)
	}
}
