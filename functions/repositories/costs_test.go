package main

import (
	"testing"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
)

func TestOperationsUseWhatTheDocumentSays(t *testing.T) {
	nothing := func(*testing.T, *rig) {}
	costs.Check(t, function, map[string]costs.Scenario{
		"start of a refresh at GitHub": counting("POST", githubRepos+"refresh", nothing),
		"start of a refresh at GitLab": counting("POST", gitlabRepos+"refresh", nothing),
		"start of a refresh that is under way": counting("POST", githubRepos+"refresh", func(t *testing.T, r *rig) {
			r.start(t, "POST", githubRepos+"refresh")
		}),
		"list of the tasks of an installation at GitHub": counting("GET", "/api/v1/github/installations/42/tasks", func(t *testing.T, r *rig) {
			r.start(t, "POST", githubRepos+"refresh")
		}),
		"list of the tasks of an installation at GitLab": counting("GET", "/api/v1/gitlab/installations/77/tasks", func(t *testing.T, r *rig) {
			r.start(t, "POST", gitlabRepos+"refresh")
		}),
		"deletion of a repository at GitHub": counting("DELETE", githubRepos+"7", nothing),
		"deletion of a repository at GitLab": counting("DELETE", gitlabRepos+"7", nothing),
	}, "Repositories")
}

// counting counts the cost of one request, after the preparation.
func counting(method, path string, prepare func(*testing.T, *rig)) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		r := rigOn(t, functiontest.On(env, function), m.Role(function).DynamoDB)
		prepare(t, r)
		m.Start()
		m.Request(method, path)
		if status, body := r.ask(t, method, path); status != 200 {
			t.Errorf("got %d %s, want 200", status, body)
		}
		return m
	}
}
