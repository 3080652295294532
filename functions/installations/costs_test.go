package main

import (
	"fmt"
	"testing"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
)

func TestOperationsUseWhatTheDocumentSays(t *testing.T) {
	costs.Check(t, "InstallationsFunction", map[string]costs.Scenario{
		"list repositories, page of 20": counting(repos, func(t *testing.T, r *rig, n int) {
			r.repository(t, "42", fmt.Sprint(99001000+n), fmt.Sprintf("repository-%03d", n))
		}),
		"list pull requests, page of 20": counting(pulls, func(t *testing.T, r *rig, n int) {
			r.repository(t, "42", "99001122", "infra")
			_, err := r.pullRequests.Apply(t.Context(), r.Author(), vcs.Installation{VCS: "github", ID: "42"}, pullrequest.PullRequest{
				Repository: "99001122", Number: int64(n), Title: "Add a bucket for the logs of the gateway", User: "ann",
				State: pullrequest.Open, BaseBranch: "main", BaseSHA: fmt.Sprintf("%040d", n), Branch: "add-bucket", SHA: fmt.Sprintf("%040d", n),
			}, "4000000000000.00.72d3162e-cc78-11e3-81ab-4c9367dc0958", r.repositories.NotEmptied(vcs.Installation{VCS: "github", ID: "42"}.Repository("99001122"), "4"))
			if err != nil {
				t.Fatal(err)
			}
		}),
	}, "Lists")
}

// counting counts the cost of one page of a list of a hundred.
func counting(path string, add func(*testing.T, *rig, int)) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		r := rigOn(functiontest.On(env, function))
		r.Serve(routes(over(m.Role(function))))
		for n := 1; n <= 100; n++ {
			add(t, r, n)
		}
		m.Start()
		m.Request("GET", path)
		var page map[string]any
		if status, _ := r.get(t, path, &page); status != 200 {
			t.Errorf("status %d", status)
		}
		return m
	}
}
