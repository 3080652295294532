package gitlabhost_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// statusesOf returns the statuses of a commit that GitLab shows.
func statusesOf(host *vcstest.GitLab, commit string) (shown []vcstest.Job) {
	host.Update(7, func(p *vcstest.Project) {
		for _, j := range p.Jobs[commit] {
			if !j.Retried {
				shown = append(shown, j)
			}
		}
	})
	return shown
}

func TestStatusIsSetAndMayBeRepeated(t *testing.T) {
	t.Parallel()
	client, host, content := withContent(t)
	commit := tip(content, "feature")
	for _, step := range []struct {
		state vcshost.CheckState
		want  string
	}{
		{vcshost.CheckPending, "pending"},
		{vcshost.CheckPending, "pending"},
		{vcshost.CheckSuccess, "success"},
		{vcshost.CheckSuccess, "success"},
		{vcshost.CheckFailure, "failed"},
		{vcshost.CheckPending, "pending"},
		{vcshost.CheckFailure, "failed"},
	} {
		s := vcshost.CommitStatus{Name: "terrateam apply", State: step.state, Description: "why", URL: "https://ops.example.com/i/77/runs/1"}
		if err := client.SetStatus(t.Context(), infra, commit, s); err != nil {
			t.Fatalf("%s: %v", step.state, err)
		}
		shown := statusesOf(host, commit)
		if len(shown) != 1 || shown[0].Name != s.Name || shown[0].State != step.want || shown[0].Description != "why" || shown[0].URL != s.URL {
			t.Errorf("%s: GitLab shows %+v", step.state, shown)
		}
	}
	if err := client.SetStatus(t.Context(), infra, commit, vcshost.CommitStatus{Name: "x", State: "odd"}); err == nil {
		t.Error("an unknown state was accepted")
	}
	if err := client.SetStatus(t.Context(), infra, "0123", vcshost.CommitStatus{Name: "x", State: vcshost.CheckSuccess}); !errors.Is(err, vcshost.ErrGone) {
		t.Errorf("of a commit that does not exist: %v", err)
	}
}

func TestNoStatusStaysPendingInAnOlderPipeline(t *testing.T) {
	t.Parallel()
	client, host, content := withContent(t)
	commit := tip(content, "feature")
	set := func(state vcshost.CheckState) {
		t.Helper()
		if err := client.SetStatus(t.Context(), infra, commit, vcshost.CommitStatus{Name: "terrateam apply", State: state}); err != nil {
			t.Fatal(err)
		}
	}
	set(vcshost.CheckPending) // GitLab makes a pipeline for it
	for range 2 {
		if _, err := client.StartCI(t.Context(), infra, start); err != nil {
			t.Fatal(err)
		}
		set(vcshost.CheckPending)
	}
	if shown := statusesOf(host, commit); len(shown) != 3 {
		t.Fatalf("GitLab shows %+v, want a status in each of three pipelines", shown)
	}
	set(vcshost.CheckSuccess)
	for _, j := range statusesOf(host, commit) {
		if j.State != "success" {
			t.Errorf("pipeline %d shows %s", j.Pipeline, j.State)
		}
	}
}

func TestStatusInAPipelineThatGitLabDoesNotFindIsLeft(t *testing.T) {
	t.Parallel()
	client, host, content := withContent(t)
	commit := tip(content, "feature")
	host.Update(7, func(p *vcstest.Project) {
		p.Pipelines = map[string][]int64{commit: {2}}
		p.Jobs = map[string][]vcstest.Job{commit: {{ID: 9, Pipeline: 1, Name: "terrateam apply", State: "pending", External: true, Author: 8}}}
	})
	if err := client.SetStatus(t.Context(), infra, commit, vcshost.CommitStatus{Name: "terrateam apply", State: vcshost.CheckSuccess}); err != nil {
		t.Error(err)
	}
}

func TestDescriptionIsCutToWhatGitLabTakes(t *testing.T) {
	t.Parallel()
	client, host, content := withContent(t)
	commit := tip(content, "feature")
	long := vcshost.CommitStatus{
		Name: "terrateam apply", State: vcshost.CheckSuccess, Description: strings.Repeat("ü", 256), URL: "https://ops.example.com/" + strings.Repeat("x", 240),
	}
	if err := client.SetStatus(t.Context(), infra, commit, long); err != nil {
		t.Fatal(err)
	}
	if got := statusesOf(host, commit)[0]; got.Description != strings.Repeat("ü", 254)+"…" || got.URL != "" {
		t.Errorf("GitLab has %+v", got)
	}
	long.Description, long.URL = strings.Repeat("ü", 255), long.URL[:255]
	if err := client.SetStatus(t.Context(), infra, commit, long); err != nil {
		t.Fatal(err)
	}
	if got := statusesOf(host, commit)[0]; got.Description != long.Description || got.URL != long.URL {
		t.Errorf("GitLab has %+v", got)
	}
}

func TestRefusalOfAStatusIsToldFromARepetition(t *testing.T) {
	t.Parallel()
	const repeated = `{"message":"Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition via \"enqueue\")"}`
	for name, c := range map[string]struct {
		state   vcshost.CheckState
		failure vcstest.Failure
		is      func(error) bool
	}{
		"pending again":           {vcshost.CheckPending, vcstest.Failure{Status: 400, Body: repeated}, func(err error) bool { return err == nil }},
		"pending while it runs":   {vcshost.CheckPending, vcstest.Failure{Status: 400, Body: strings.Replace(repeated, "from :pending", "from :running", 1)}, func(err error) bool { return err == nil }},
		"success that is refused": {vcshost.CheckSuccess, vcstest.Failure{Status: 400, Body: repeated}, isRejected},
		"other reason":            {vcshost.CheckPending, vcstest.Failure{Status: 400, Body: `{"message":"Name has already been taken"}`}, isRejected},
		"status 422":              {vcshost.CheckPending, vcstest.Failure{Status: 422, Body: repeated}, isRejected},
		"another update under way": {vcshost.CheckPending, vcstest.Failure{Status: 409, Body: `{"message":"Another update to this commit status is in progress"}`}, func(err error) bool {
			var limited *vcshost.Limited
			return errors.As(err, &limited)
		}},
	} {
		client, host, content := withContent(t)
		c.failure.Match = "POST "
		host.Fail(c.failure)
		if err := client.SetStatus(t.Context(), infra, tip(content, "feature"), vcshost.CommitStatus{Name: "x", State: c.state}); !c.is(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func isRejected(err error) bool {
	var rejected *vcshost.Rejection
	return errors.As(err, &rejected)
}
