package main

import (
	"slices"
	"testing"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
)

// person returns the caller that the authorizer makes of the owner's session.
func (h *rig) person() *access.Caller {
	return &access.Caller{
		Kind: access.KindSession, User: h.owner.ID, Key: "hash-of-a-session", Capabilities: session.Capabilities(),
		Expires: h.Clock.Now().Add(session.Idle).Unix(), Partial: true,
		Account: vcs.Account{VCS: vcs.GitHub},
	}
}

func TestPersonMakesKeysWithTheRightsOfASession(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	k := h.made(t, h.post(t, "github", h.person(), `{"name":"ci","capabilities":["access_token_create","audit_read","kv_store_read","kv_store_write","kv_store_system_read","access_token_refresh"]}`))
	all := access.Normalize(append(session.Capabilities(), access.VCS("github")))
	if !slices.Equal(k.Capabilities, all) || k.User != h.owner.ID || !k.ExpiresAt.IsZero() {
		t.Errorf("got %+v, want capabilities %v and no end", k, all)
	}
	want(t, h.do(t, "GET", "/api/v1/github/access-token", h.person(), ""), 200, "")
	want(t, h.do(t, "DELETE", "/api/v1/github/access-token?id="+k.ID, h.person(), ""), 200, "")
	if k, err := h.keys.Get(ctx, k.User, k.ID); err != nil || k.RevokedAt.IsZero() {
		t.Errorf("got %+v, %v; want a revoked key", k, err)
	}
	if got := h.do(t, "POST", "/api/v1/access-token/refresh", h.person(), ""); got.StatusCode != 403 {
		t.Errorf("a session was exchanged for a token: %d", got.StatusCode)
	}
	late := h.person()
	late.Expires = h.Clock.Now().Unix()
	if got := h.post(t, "github", late, `{"name":"ci","capabilities":[]}`); got.StatusCode != 403 {
		t.Errorf("on its last second: got %d, want 403", got.StatusCode)
	}
}

func TestSessionOfAnAccountThatIsNoLongerTheUsersManagesNoKeys(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	k := h.made(t, h.post(t, "github", h.person(), `{"name":"ci","capabilities":[]}`))
	if err := h.users.PutIdentity(ctx, h.owner.ID, "github", user.Identity{ID: "2", Login: "x"}, h.Author()); err != nil {
		t.Fatal(err)
	}
	stale, current := h.person(), h.person()
	stale.Account.ID, current.Account.ID = "1", "2"
	for _, c := range []struct {
		caller *access.Caller
		status int
	}{{stale, 403}, {current, 200}} {
		for name, got := range map[string]int{
			"create": h.post(t, "github", c.caller, `{"name":"ci","capabilities":[]}`).StatusCode,
			"list":   h.do(t, "GET", "/api/v1/github/access-token", c.caller, "").StatusCode,
			"revoke": h.do(t, "DELETE", "/api/v1/github/access-token?id="+k.ID, c.caller, "").StatusCode,
		} {
			if got != c.status {
				t.Errorf("%s with a session of account %s: got %d, want %d", name, c.caller.Account, got, c.status)
			}
		}
		stored, err := h.keys.Get(ctx, h.owner.ID, k.ID)
		if err != nil || stored.RevokedAt.IsZero() != (c.status == 403) {
			t.Errorf("account %s: got %+v, %v", c.caller.Account, stored, err)
		}
	}
}

func TestPersonRestrictsKeysToInstallationsThatTheVCSVouchesFor(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	if err := h.users.Replace(ctx, h.Author(), h.owner.ID, vcs.Account{VCS: "github", ID: ""}, user.Hosted{Installations: []vcs.ID{"77"}, AskedAt: h.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	body := `{"name":"ci","capabilities":["kv_store_read",{"name":"installation_id","id":"77"}]}`
	h.made(t, h.post(t, "github", h.person(), body))
	want(t, h.post(t, "github", h.person(), `{"name":"ci","capabilities":[{"name":"installation_id","id":"78"}]}`), 400, "INSTALLATION_OUT_OF_REACH")
	h.Clock.Add(user.SessionLapse)
	want(t, h.post(t, "github", h.person(), body), 400, "INSTALLATION_OUT_OF_REACH")
}
