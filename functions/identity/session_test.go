package main

import (
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
)

// login begins a session at a time and answers its caller, as the authorizer
// would hand it on.
func login(t *testing.T, sessions *session.Store, u user.User, at time.Time) *access.Caller {
	t.Helper()
	_, made, err := sessions.Create(t.Context(), session.Holder{User: u.ID, VCS: "github", Account: u.Identities["github"].ID}, change.Author{Principal: u.ID, Request: uuid.NewString(), At: at})
	if err != nil {
		t.Fatal(err)
	}
	return &access.Caller{
		Kind: access.KindSession, User: u.ID, Key: made.ID, Capabilities: session.Capabilities(),
		Expires: made.Expires().Unix(), LastUsed: made.SeenAt.Unix(), Partial: true,
		Account: vcs.Account{VCS: vcs.VCS(made.VCS), ID: vcs.ID(made.Account)},
	}
}

func TestSessionOfAnAccountThatIsNoLongerTheUsersIsNobodys(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	users := &user.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")}
	sessions := &session.Store{DB: env.DynamoDB, Table: env.Table("SessionsTable")}
	ann := person(t, users, "ann")
	link := func(id string) {
		t.Helper()
		author := change.Author{Principal: "operator:test", Request: uuid.NewString(), At: now}
		if err := users.PutIdentity(t.Context(), ann.ID, "github", user.Identity{ID: id, Login: "ann"}, author); err != nil {
			t.Fatal(err)
		}
		ann.Identities = map[string]user.Identity{"github": {ID: id}}
	}
	link("1")
	caller := login(t, sessions, ann, now)
	l := httpapi.NewLambda(routes(users, sessions), slog.New(slog.DiscardHandler), func() time.Time { return now })
	for _, c := range []struct {
		account string
		status  int
	}{{"1", 200}, {"2", 403}} {
		link(c.account)
		for _, path := range []string{"/api/v1/whoami", "/api/v1/github/whoami"} {
			if got, err := l.Handle(t.Context(), httpapitest.Event(t, "GET", path, caller, "")); err != nil || got.StatusCode != c.status {
				t.Errorf("%s of a user with account %s: got %d %s, %v; want %d", path, c.account, got.StatusCode, got.Body, err, c.status)
			}
		}
	}
}

func TestLogoutEndsTheSessionAndNoOther(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	users := &user.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")}
	sessions := &session.Store{DB: env.DynamoDB, Table: env.Table("SessionsTable")}
	ann := person(t, users, "ann")
	here, elsewhere := login(t, sessions, ann, now), login(t, sessions, ann, now)
	l := httpapi.NewLambda(routes(users, sessions), slog.New(slog.NewTextHandler(io.Discard, nil)), func() time.Time { return now })
	// A second logout may have been let in before the first was over.
	for range 2 {
		got, err := l.Handle(t.Context(), httpapitest.Event(t, "POST", "/api/v1/logout", here, ""))
		if err != nil || got.StatusCode != 200 || got.Body != "" {
			t.Fatalf("got %d %s, %v; want 200 without a body", got.StatusCode, got.Body, err)
		}
		c, err := http.ParseSetCookie(http.Header(got.MultiValueHeaders).Get("Set-Cookie"))
		if err != nil || c.Name != "session" || c.Value != "" || c.MaxAge >= 0 || c.Path != "/" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("got cookie %v, %v; want one that takes the session's away", c, err)
		}
	}
	for name, c := range map[string]struct {
		caller *access.Caller
		live   bool
	}{"logged out": {here, false}, "elsewhere": {elsewhere, true}} {
		if got, err := sessions.Get(t.Context(), c.caller.Key); err != nil || got.LiveAt(now) != c.live {
			t.Errorf("%s: got %+v, %v; want live: %t", name, got, err, c.live)
		}
	}
	got, err := l.Handle(t.Context(), httpapitest.Event(t, "POST", "/api/v1/logout", token(ann), ""))
	if err != nil || got.StatusCode != 200 || http.Header(got.MultiValueHeaders).Get("Set-Cookie") != "" {
		t.Errorf("with an access token: got %d, %v, %v; want 200 and no cookie", got.StatusCode, got.MultiValueHeaders, err)
	}
}

func TestUseOfASessionIsRecordedOnceADay(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	var faults storagetest.Faults
	users := &user.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")}
	sessions := &session.Store{DB: env.DynamoDB, Table: env.Table("SessionsTable")}
	counted := &session.Store{DB: env.WithFaults(&faults).DynamoDB, Table: sessions.Table}
	ann := person(t, users, "ann")
	l := httpapi.NewLambda(routes(users, counted), slog.New(slog.NewTextHandler(io.Discard, nil)), func() time.Time { return now })
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
		caller := login(t, sessions, ann, now.Add(-c.ago))
		if c.ended {
			if err := sessions.End(t.Context(), caller.Key, change.Author{Principal: ann.ID, Request: uuid.NewString(), At: now}); err != nil {
				t.Fatal(err)
			}
		}
		faults.Clear()
		got, err := l.Handle(t.Context(), httpapitest.Event(t, "GET", "/api/v1/whoami", caller, ""))
		if err != nil || got.StatusCode != c.status || faults.Calls("") != c.writes {
			t.Errorf("%s: got %d, %v with %d writes; want %d with %d", name, got.StatusCode, err, faults.Calls(""), c.status, c.writes)
		}
		if found, err := sessions.Get(t.Context(), caller.Key); err != nil || c.writes == 1 && !c.ended && !found.SeenAt.Equal(now) {
			t.Errorf("%s: got %+v, %v; want seen now", name, found, err)
		}
	}
}
