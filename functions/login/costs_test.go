package main

import (
	"testing"

	"github.com/opsplane/opsplane/infra/test/costs"
)

func TestOperationsUseWhatTheDocumentSays(t *testing.T) {
	costs.Check(t, "LoginFunction", map[string]costs.Scenario{
		"start of a login": counting("/api/v1/github/login", func(*testing.T, *browser) string { return "/api/v1/github/login" }),
		"first login of a person": counting("/api/github/v1/callback", func(t *testing.T, b *browser) string {
			return b.start(t, "github", "")
		}),
		"another login, in a browser that has a session": counting("/api/v1/gitlab/callback", func(t *testing.T, b *browser) string {
			b.get(t, b.start(t, "gitlab", ""))
			return b.start(t, "gitlab", "")
		}),
		"callback of a login that began elsewhere": counting("/api/github/v1/callback", func(*testing.T, *browser) string {
			return "/api/github/v1/callback?code=x"
		}),
	}, "Login")
}

// counting counts the cost of one request. prepare returns its target.
func counting(path string, prepare func(*testing.T, *browser) string) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		h := newRigOn(t, env)
		h.build(m.Role("LoginFunction").DynamoDB)
		b := h.browser()
		target := prepare(t, b)
		m.Start()
		m.Request("GET", path)
		if got := b.get(t, target); got.StatusCode != 303 {
			t.Errorf("got %d %s, want 303", got.StatusCode, got.Body)
		}
		return m
	}
}
