package gitlabhost_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

var infra = vcs.Description{ID: "7", Owner: "acme", Name: "infra"}

// withProject returns a client of a group with a project that has a branch.
func withProject(t *testing.T) (*gitlabhost.Installation, *vcstest.GitLab) {
	host := vcstest.NewGitLab(t)
	host.Set(vcstest.Group{ID: 77, FullPath: "acme", Inherited: member(40), Projects: []vcstest.Project{
		{ID: 7, PathWithNamespace: "acme/infra", DefaultBranch: "main", Branches: map[string]string{"main": "b0", "feature": "c1", "a/b": "d2"}},
	}})
	return open(t, host), host
}

var start = vcshost.CIStart{Branch: "feature", WorkToken: "token-1", APIBaseURL: "https://ops.example.com/api/gitlab", Environment: "prod"}

func TestPipelineIsCreatedWithItsInputs(t *testing.T) {
	t.Parallel()
	client, host := withProject(t)
	base := map[string]any{"TERRATEAM_TRIGGER": "true", "WORK_TOKEN": "token-1", "API_BASE_URL": "https://ops.example.com/api/gitlab"}
	withLabels := map[string]any{"TERRATEAM_TRIGGER": "true", "WORK_TOKEN": "token-1", "API_BASE_URL": "https://ops.example.com/api/gitlab", "RUNS_ON": []any{"docker", "linux"}}
	for i, want := range []map[string]any{base, withLabels} {
		s := start
		if i == 1 {
			s.RunsOn = []string{"docker", "linux"}
		}
		run, err := client.StartCI(t.Context(), infra, s)
		if err != nil || run.ID == "" || !strings.HasPrefix(run.URL, "https://gitlab.example.com/acme/infra/-/pipelines/") {
			t.Fatalf("got %+v, %v", run, err)
		}
		if got := host.CI.Runs()[i]; got.Branch != "feature" || !reflect.DeepEqual(got.Inputs, want) {
			t.Errorf("the pipeline was created with %v on %s, want %v", got.Inputs, got.Branch, want)
		}
	}
}

func TestReasonWhyNoPipelineStartsIsTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		project vcs.ID
		inputs  []string
		branch  string
		failure vcstest.Failure
		is      error
		words   string // part of the words of a rejection
		unknown bool   // the pipeline may have been created
	}{
		"branch that is gone":    {"7", nil, "gone", vcstest.Failure{}, vcshost.ErrNoBranch, "Reference not found", false},
		"input not declared":     {"7", []string{"WORK_TOKEN"}, "feature", vcstest.Failure{}, nil, "Given inputs not defined", false},
		"project that is gone":   {"8", nil, "feature", vcstest.Failure{}, vcshost.ErrGone, "", false},
		"identity not verified":  {"7", nil, "feature", vcstest.Failure{Match: "/pipeline", Status: 400, Body: `{"message":{"base":["Identity verification is required in order to run CI jobs"]}}`}, nil, "Identity verification is required", false},
		"role is missing":        {"7", nil, "feature", vcstest.Failure{Match: "/pipeline", Status: 403, Body: `{"message":"403 Forbidden"}`}, vcshost.ErrForbidden, "", false},
		"response that was lost": {"7", nil, "feature", vcstest.Failure{Match: "/pipeline", Status: 0}, nil, "", true},
		"failure of the host":    {"7", nil, "feature", vcstest.Failure{Match: "/pipeline", Status: 500}, nil, "", true},
		"answer without an id":   {"7", nil, "feature", vcstest.Failure{Match: "/pipeline", Status: 201, Body: `{}`}, nil, "", true},
	} {
		client, host := withProject(t)
		host.CI.Inputs = c.inputs
		if c.failure.Match != "" {
			host.Fail(c.failure)
		}
		s, r := start, infra
		s.Branch, r.ID = c.branch, c.project
		run, err := client.StartCI(t.Context(), r, s)
		if err == nil || run != (vcshost.CIRun{}) || c.is != nil && !errors.Is(err, c.is) || vcshost.NothingDone(err) == c.unknown {
			t.Errorf("%s: got %+v, %v; want %v, unknown %t", name, run, err, c.is, c.unknown)
		}
		var rejected *vcshost.Rejection
		if errors.As(err, &rejected) != (c.words != "") || rejected != nil && !strings.Contains(rejected.Words, c.words) {
			t.Errorf("%s: got %v, want the words %q", name, err, c.words)
		}
	}
}

func TestPipelineIsReadAndCancelled(t *testing.T) {
	t.Parallel()
	client, host := withProject(t)
	run, err := client.StartCI(t.Context(), infra, start)
	if err != nil {
		t.Fatal(err)
	}
	id := host.CI.Runs()[0].ID
	for status, want := range map[string]vcshost.CIStatus{
		"created": vcshost.CIActive, "pending": vcshost.CIActive, "running": vcshost.CIActive, "manual": vcshost.CIActive,
		"success": vcshost.CIEnded, "failed": vcshost.CIEnded, "skipped": vcshost.CIEnded, "canceled": vcshost.CICancelled,
	} {
		host.CI.Set(id, status, "")
		got, err := client.CIProgress(t.Context(), infra, run.ID)
		if err != nil || got.Status != want || got.CIRun != run || (got.Conclusion != "") != (want != vcshost.CIActive) {
			t.Errorf("%s: got %+v, %v", status, got, err)
		}
	}
	host.CI.Set(id, "running", "")
	for _, id := range []string{run.ID, run.ID, "1", "abc"} {
		if err := client.CancelCI(t.Context(), infra, id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	if got, err := client.CIProgress(t.Context(), infra, run.ID); err != nil || got.Status != vcshost.CICancelled {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, id := range []string{"1", "abc"} {
		if got, err := client.CIProgress(t.Context(), infra, id); !errors.Is(err, vcshost.ErrGone) {
			t.Errorf("%q: got %+v, %v", id, got, err)
		}
	}
}
