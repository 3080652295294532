package main

import (
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

func TestOperationsUseWhatTheDocumentSays(t *testing.T) {
	member := func(t *testing.T, r *rig) {
		r.expect(t, "GET", hookPath, "", 200, "pending")
		r.expect(t, "PUT", tokenPath, `{"access_token":"`+r.bot("api")+`"}`, 200, "")
		r.list(t, "gitlab")
	}
	nothing := func(*testing.T, *rig) {}
	costs.Check(t, function, map[string]costs.Scenario{
		"list of installations, first of a person": counting("GET", "/api/v1/user/github/installations", func(t *testing.T, r *rig) {
			r.know(t, installation.Installation{VCS: "github", ID: "1", Name: "acme", State: installation.Installed})
		}),
		"list of installations": counting("GET", "/api/v1/gitlab/installations", member),
		"list of installations, with a refresh of the grant": counting("GET", "/api/v1/user/github/installations", func(t *testing.T, r *rig) {
			r.list(t, "github")
			r.Clock.Set(born.Add(2 * time.Hour))
		}),
		"groups":                    counting("GET", "/api/v1/gitlab/groups", nothing),
		"is-member":                 counting("GET", "/api/v1/gitlab/groups/77/is-member", member),
		"whoareyou":                 counting("GET", "/api/v1/gitlab/whoareyou", member),
		"webhook, first of a group": counting("GET", hookPath, nothing),
		"webhook":                   counting("GET", hookPath, member),
		"access token of a group": func(t *testing.T) *costs.Meter {
			env, m := costs.New(t)
			r := rigOn(t, functiontest.On(env, function), m.Role(function).DynamoDB)
			member(t, r)
			body := `{"access_token":"` + r.bot("api") + `"}`
			m.Start()
			m.Request("PUT", tokenPath)
			r.expect(t, "PUT", tokenPath, body, 200, "")
			return m
		},
	}, "Hosts")
}

// counting counts the cost of one request, after the preparation.
func counting(method, path string, prepare func(*testing.T, *rig)) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		r := rigOn(t, functiontest.On(env, function), m.Role(function).DynamoDB)
		prepare(t, r)
		m.Start()
		m.Request(method, path)
		if status, body := r.ask(t, method, path, ""); status != 200 {
			t.Errorf("got %d %s, want 200", status, body)
		}
		return m
	}
}
