package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/credential/signing"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestDecisionsUseWhatTheDocumentSays(t *testing.T) {
	costs.Check(t, "AuthorizerFunction", map[string]costs.Scenario{
		"access token": deciding(true, freshToken),
		"access token, first of an instance in 5 s": deciding(true, func(t *testing.T, h *rig) string {
			token := freshToken(t, h)
			h.Clock.Add(signing.SnapshotAge)
			return token
		}),
		"access token, first of its key in 5 s, where very many keys were revoked": deciding(true, func(t *testing.T, h *rig) string {
			h.flood(t, h.owner.ID, 300)
			freshToken(t, h)
			text, _ := h.key(t, access.KVStoreRead, access.KVStoreWrite)
			return h.token(t, text)
		}),
		"access token of an unknown signing key": deciding(false, func(t *testing.T, h *rig) string {
			freshToken(t, h)
			h.Clock.Add(earlyReread)
			return freshToken(t, newRig(t))
		}),
		"access token of a user with more than 100 memberships, at an installation": deciding(true, func(t *testing.T, h *rig) string {
			for i := range access.MaxMemberships {
				h.join(t, "github", vcs.ID(fmt.Sprint(12_345_678+i)))
			}
			return freshToken(t, h)
		}),
		"API key": deciding(true, func(t *testing.T, h *rig) string {
			text, _ := h.key(t, access.KVStoreRead, access.KVStoreWrite)
			return text
		}),
		"API key that does not exist": deciding(false, func(t *testing.T, _ *rig) string {
			text, _ := newRig(t).key(t)
			return text
		}),
		"token of a run": deciding(true, func(t *testing.T, h *rig) string {
			_, token := h.run(t, github1)
			return token
		}),
		"session":                           browsed(true, nil, "same-origin"),
		"session, at an installation":       browsed(true, atInstallation1, "same-origin"),
		"session of another site's request": browsed(false, atInstallation1, "cross-site"),
		"text that is no credential":        deciding(false, func(*testing.T, *rig) string { return strings.Repeat("a", 80) }),
	}, "Authorizer")
}

// deciding counts one decision about a credential, at a route of an installation.
func deciding(allowed bool, credential func(*testing.T, *rig) string) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		h := rigOn(t, functiontest.On(env, function), m.Role(function).DynamoDB)
		header := "Bearer " + credential(t, h)
		m.Start()
		m.Invoke("authorizer")
		if _, ok := h.allowed(t, header, atInstallation1); ok != allowed {
			t.Errorf("let in: %t, want %t", ok, allowed)
		}
		return m
	}
}

// freshToken returns a token about which the authorizer has just decided.
func freshToken(t *testing.T, h *rig) string {
	t.Helper()
	text, _ := h.key(t, access.KVStoreRead, access.KVStoreWrite)
	token := h.token(t, text)
	if _, ok := h.allowed(t, "Bearer "+token, nil); !ok {
		t.Fatal("the token is refused")
	}
	return token
}

// browsed counts one decision about a session.
func browsed(allowed bool, path map[string]string, site string) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		h := rigOn(t, functiontest.On(env, function), m.Role(function).DynamoDB)
		text, _ := h.login(t)
		e := browsing(text, path)
		e.MultiValueHeaders["Sec-Fetch-Site"] = []string{site}
		m.Start()
		m.Invoke("authorizer")
		if _, ok := h.decide(t, e); ok != allowed {
			t.Errorf("let in: %t, want %t", ok, allowed)
		}
		return m
	}
}
