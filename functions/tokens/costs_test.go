package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/credential/signing"
)

func TestOperationsUseWhatTheDocumentSays(t *testing.T) {
	none := func(*testing.T, *rig) {}
	costs.Check(t, "TokensFunction", map[string]costs.Scenario{
		"refresh": counted(justRefreshed, "POST", refreshPath, ""),
		"refresh, first of a key in ten minutes": counted(func(t *testing.T, h *rig) {
			justRefreshed(t, h)
			h.key = h.newKey(t, apikey.New{Name: "another", Capabilities: access.Strings()})
		}, "POST", refreshPath, ""),
		"refresh, first of an instance in a minute": counted(func(t *testing.T, h *rig) {
			justRefreshed(t, h)
			h.Clock.Add(signing.SignerAge)
			if err := h.keys.MarkUsed(ctx, h.owner.ID, h.key.ID, h.Author()); err != nil {
				t.Fatal(err)
			}
		}, "POST", refreshPath, ""),
		"create a key, of a user with 10": counted(hasKeys(9), "POST", keysPath, `{"name":"nightly build","capabilities":["kv_store_read"]}`),
		"create a key for an installation": counted(none, "POST", keysPath,
			`{"name":"nightly build","capabilities":["kv_store_read",{"name":"installation_id","id":"1"}]}`),
		"list keys, of a user with 30": counted(hasKeys(30), "GET", keysPath, ""),
		"revoke a key": revoking(func(t *testing.T, h *rig) string {
			k := h.newKey(t, apikey.New{Name: "nightly build"})
			if err := h.keys.MarkUsed(ctx, h.owner.ID, k.ID, h.Author()); err != nil {
				t.Fatal(err)
			}
			return k.ID
		}),
		"revoke a key that was never exchanged": revoking(func(t *testing.T, h *rig) string {
			return h.newKey(t, apikey.New{Name: "nightly build"}).ID
		}),
		"revoke a key that does not exist": revoking(func(*testing.T, *rig) string { return uuid.NewString() }),
	}, "API keys and access tokens")
}

const (
	refreshPath = "/api/v1/access-token/refresh"
	keysPath    = "/api/v1/github/access-token"
)

// counted makes a request with the rig's key. For paths other than refresh it uses
// a token of that key.
func counted(prepare func(*testing.T, *rig), method, path, body string) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		m, h := newMetered(t)
		prepare(t, h)
		h.count(t, m, method, path, body)
		return m
	}
}

func revoking(id func(*testing.T, *rig) string) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		m, h := newMetered(t)
		h.count(t, m, "DELETE", keysPath+"?id="+id(t, h), "")
		return m
	}
}

// newMetered returns a rig with a signing key, on storage that counts.
func newMetered(t *testing.T) (*costs.Meter, *rig) {
	t.Helper()
	env, m := costs.New(t)
	h := rigOn(t, functiontest.On(env, function), m.Role(function).DynamoDB)
	h.rotate(t, signing.Planned)
	return m, h
}

func (h *rig) count(t *testing.T, m *costs.Meter, method, path, body string) {
	t.Helper()
	caller := h.bearer(t, h.key)
	if path == refreshPath {
		caller = h.holder(t, h.key)
	}
	m.Start()
	m.Request(method, path)
	want(t, h.do(t, method, path, caller, body), 200, "")
}

// justRefreshed refreshes the rig's key a second before the request.
func justRefreshed(t *testing.T, h *rig) {
	t.Helper()
	want(t, h.refresh(t, h.holder(t, h.key)), 200, "")
	h.Clock.Add(time.Second)
}

// hasKeys makes n more keys, with names and capabilities as long as those of real
// keys.
func hasKeys(n int) func(*testing.T, *rig) {
	return func(t *testing.T, h *rig) {
		for i := range n {
			h.newKey(t, apikey.New{
				Name:         fmt.Sprint("nightly build ", i),
				Capabilities: access.Set{access.VCS("github"), access.KVStoreRead, access.KVStoreWrite},
			})
		}
	}
}
