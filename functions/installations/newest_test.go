package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
)

func TestPullRequestsShowWhenTheirNewestRunWasCreated(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	in := vcs.Installation{VCS: "github", ID: "42"}
	for n := range int64(4) {
		_, err := r.pullRequests.Apply(t.Context(), r.Author(), in, pullrequest.PullRequest{Repository: "7", Number: n + 1, State: pullrequest.Open},
			"1", r.repositories.NotEmptied(in.Repository("7"), "1"))
		if err != nil {
			t.Fatal(err)
		}
	}
	r.run(t, in.Repository("7"), run.Kind{Name: run.PullRequest, Number: 2})
	newest := r.run(t, in.Repository("7"), run.Kind{Name: run.PullRequest, Number: 2})
	r.run(t, in.Repository("8"), run.Kind{Name: run.PullRequest, Number: 1})
	r.run(t, in.Repository("7"), run.Kind{Name: run.Branch})
	// The repository was in another installation then.
	r.run(t, vcs.Installation{VCS: "github", ID: "5"}.Repository("7"), run.Kind{Name: run.PullRequest, Number: 3})
	var page struct {
		PullRequests []struct {
			Number int64  `json:"pull_number"`
			At     string `json:"latest_work_manifest_run_at"`
		} `json:"pull_requests"`
	}
	r.get(t, pulls, &page)
	if got, want := fmt.Sprint(page.PullRequests), fmt.Sprintf("[{4 } {3 } {2 %s} {1 }]", newest.Format(time.RFC3339)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// run creates a run a second after the last one, and returns its time.
func (r *rig) run(t *testing.T, of vcs.Repository, kind run.Kind) time.Time {
	t.Helper()
	r.Clock.Add(time.Second)
	made, err := r.runs.Create(t.Context(), runstore.Creation{
		Spec: run.Spec{
			ID: run.NewID(), Repository: of, Owner: "acme", Name: "infra", Type: run.Plan, Kind: kind, Base: run.Ref{Branch: "main", Commit: "aa"},
			Source: run.Ref{Branch: "main", Commit: "bb"}, Principal: "ann", Dirspaces: []run.Dirspace{{Dir: "net", Workspace: "default"}},
		},
		Token: runstore.Token{Hash: []byte("h"), Sealed: []byte("s")}, Manifest: runstore.Manifest{Body: []byte("{}")},
	}, r.Author())
	if err != nil {
		t.Fatal(err)
	}
	return made.Run.CreatedAt
}
