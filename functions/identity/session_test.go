package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
)

// login begins a session at a time and returns its caller, as the authorizer would
// pass it on.
func (r *rig) login(t *testing.T, u user.User, at time.Time) *access.Caller {
	t.Helper()
	_, made, err := r.sessions.Create(t.Context(), u.ID, vcs.Account{VCS: "github", ID: u.Identities["github"].ID}, change.Author{Principal: u.ID, Request: uuid.NewString(), At: at})
	if err != nil {
		t.Fatal(err)
	}
	return &access.Caller{
		Kind: access.KindSession, User: u.ID, Key: made.ID, Capabilities: session.Capabilities(),
		Expires: made.Expires().Unix(), LastUsed: made.SeenAt.Unix(), Partial: true,
		Account: made.Account,
	}
}

func TestSessionOfAnAccountThatIsNoLongerTheUsersIsNobodys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann := r.person(t, "ann")
	link := func(id vcs.ID) {
		t.Helper()
		if err := r.users.PutIdentity(t.Context(), ann.ID, "github", user.Identity{ID: id, Login: "ann"}, r.Author()); err != nil {
			t.Fatal(err)
		}
		ann.Identities = map[vcs.VCS]user.Identity{"github": {ID: id}}
	}
	link("1")
	caller := r.login(t, ann, now)
	for _, c := range []struct {
		account vcs.ID
		status  int
	}{{"1", 200}, {"2", 403}} {
		link(c.account)
		for _, path := range []string{"/api/v1/whoami", "/api/v1/github/whoami"} {
			if got := r.As(t, caller, "GET", path, ""); got.StatusCode != c.status {
				t.Errorf("%s of a user with account %s: got %d %s, want %d", path, c.account, got.StatusCode, got.Body, c.status)
			}
		}
	}
}

func TestLogoutEndsTheSessionAndNoOther(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann := r.person(t, "ann")
	here, elsewhere := r.login(t, ann, now), r.login(t, ann, now)
	// A second logout may have been admitted before the first one ended.
	for range 2 {
		got := r.As(t, here, "POST", "/api/v1/logout", "")
		got.WantBody(t, 200, "")
		c, err := http.ParseSetCookie(http.Header(got.MultiValueHeaders).Get("Set-Cookie"))
		if err != nil || c.Name != "session" || c.Value != "" || c.MaxAge >= 0 || c.Path != "/" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("got cookie %v, %v; want one that takes the session's away", c, err)
		}
	}
	for name, c := range map[string]struct {
		caller *access.Caller
		live   bool
	}{"logged out": {here, false}, "elsewhere": {elsewhere, true}} {
		if got, err := r.sessions.Get(t.Context(), c.caller.Key); err != nil || got.LiveAt(now) != c.live {
			t.Errorf("%s: got %+v, %v; want live: %t", name, got, err, c.live)
		}
	}
	got := r.As(t, token(ann), "POST", "/api/v1/logout", "")
	if got.StatusCode != 200 || http.Header(got.MultiValueHeaders).Get("Set-Cookie") != "" {
		t.Errorf("with an access token: got %d, %v; want 200 and no cookie", got.StatusCode, got.MultiValueHeaders)
	}
}

func TestUseOfASessionIsRecordedOnceADay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann := r.person(t, "ann")
	for name, c := range map[string]struct {
		ago    time.Duration
		ended  bool
		writes int
		status int
	}{
		"just now":               {0, false, 0, 200},
		"almost a day ago":       {session.SeenInterval - time.Second, false, 0, 200},
		"a day ago":              {session.SeenInterval, false, 1, 200},
		"a day ago, since ended": {session.SeenInterval, true, 1, 403},
	} {
		caller := r.login(t, ann, now.Add(-c.ago))
		if c.ended {
			if err := r.sessions.End(t.Context(), caller.Key, change.Author{Principal: ann.ID, Request: uuid.NewString(), At: now}); err != nil {
				t.Fatal(err)
			}
		}
		r.Faults.Clear()
		got := r.As(t, caller, "GET", "/api/v1/whoami", "")
		writes := r.Faults.Calls("") - r.Faults.Calls("GetItem")
		if got.StatusCode != c.status || writes != c.writes {
			t.Errorf("%s: got %d with %d writes, want %d with %d", name, got.StatusCode, writes, c.status, c.writes)
		}
		if found, err := r.sessions.Get(t.Context(), caller.Key); err != nil || c.writes == 1 && !c.ended && !found.SeenAt.Equal(now) {
			t.Errorf("%s: got %+v, %v; want seen now", name, found, err)
		}
	}
}
