package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/timestamp"
	"github.com/opsplane/opsplane/shared/login/membership"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

// askedAt returns the time at which the host was asked, as the list states it.
func (r *rig) askedAt(t *testing.T) string {
	t.Helper()
	_, body := r.ask(t, "GET", "/api/v1/github/installations", "")
	var response struct {
		AskedAt string `json:"asked_at"`
	}
	if err := json.Unmarshal([]byte(body), &response); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return response.AskedAt
}

// ofSession makes the caller a session, as in a console.
func (r *rig) ofSession() {
	r.Caller.Kind, r.Caller.Account, r.Caller.Capabilities = access.KindSession, vcs.Account{VCS: vcs.GitHub, ID: "5"}, session.Capabilities()
	r.Caller.FromOwnPage = true
}

func TestHostThatIsAwayLeavesWhatItSaidLast(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		away    func(*rig)
		without string // the error's id or text if no statement is stored
	}{
		"down": {func(r *rig) {
			r.github.Fail(vcstest.Failure{Match: "GET ", Status: http.StatusBadGateway, Body: "text of the host"})
		}, "HOST_UNAVAILABLE"},
		"limit": {func(r *rig) { r.github.Fail(vcstest.Failure{Match: "GET ", Status: http.StatusTooManyRequests}) }, "HOST_LIMIT"},
		"limit by its text": {func(r *rig) {
			r.github.Fail(vcstest.Failure{Match: "GET ", Status: http.StatusForbidden, Body: `{"message":"You have exceeded a secondary rate limit."}`})
		}, "HOST_LIMIT"},
		"cut": {func(r *rig) {
			r.github.Fail(vcstest.Failure{Match: "GET ", Status: http.StatusOK, Body: `{"installations":[{"id":`})
		}, "HOST_UNAVAILABLE"},
		"no machine": {func(r *rig) { r.github.Close() }, "HOST_UNAVAILABLE"},
		"address that it does not allow": {func(r *rig) {
			r.github.Fail(vcstest.Failure{Match: "GET ", Status: http.StatusForbidden, Body: `{"message":"the acme organization has an IP allow list enabled, and your IP address is not permitted"}`})
		}, "network address"},
		"list that leads back": {func(r *rig) {
			r.github.Fail(vcstest.Failure{
				Match: "GET ", Status: http.StatusOK, Body: `{"installations":[]}`,
				Header: http.Header{"Link": {`<https://api.github.com/user/installations?page=1>; rel="next"`}},
			})
		}, "HOST_UNAVAILABLE"},
		"slower than the caller is": {func(r *rig) {
			r.listTime = 50 * time.Millisecond
			r.github.Choose(func(string) *vcstest.Failure { time.Sleep(time.Second); return &vcstest.Failure{} })
		}, "HOST_UNAVAILABLE"},
		"down when the grant is to be refreshed": {func(r *rig) {
			r.Clock.Add(2 * time.Hour)
			r.github.Fail(vcstest.Failure{Match: "POST ", Status: http.StatusBadGateway, Body: "text of the host"})
		}, "HOST_UNAVAILABLE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.know(t, installation.Installation{VCS: "github", ID: "1", Name: "acme", State: installation.Installed})
			r.list(t, "github")
			ben := r.person(t, 6, "ben", r.gitlab.Account(6, "ben"))
			r.Clock.Add(10 * time.Minute)
			if got := r.askedAt(t); got != timestamp.Format(r.Clock.Now()) {
				t.Errorf("asked at %s, want now", got)
			}
			last := r.Clock.Now()
			r.Clock.Add(20 * time.Minute)
			c.away(r)
			if got := r.list(t, "github"); got != "1 acme active; " {
				t.Errorf("got %s, want what the host said last", got)
			}
			if got := r.askedAt(t); got != timestamp.Format(last) {
				t.Errorf("asked at %s, want %s", got, timestamp.Format(last))
			}
			if log := r.Log.String(); !strings.Contains(log, "installations listed as the host last said") || strings.Contains(log, "text of the host") {
				t.Errorf("log %s", log)
			}
			u, err := r.people.Users.Get(t.Context(), r.Caller.User)
			if err != nil || len(u.Hosted["github"].Installations) != 1 || !u.Hosted["github"].AskedAt.Equal(last) {
				t.Errorf("memberships %v, %v", u.Hosted, err)
			}
			r.Caller.User = ben.ID
			if status, body := r.ask(t, "GET", "/api/v1/github/installations", ""); status/100 == 2 || status == 403 || !strings.Contains(body, c.without) {
				t.Errorf("who is remembered nowhere: %d %s, want %s", status, body, c.without)
			}
		})
	}
}

func TestWhatIsRememberedIsNoMoreThanTheHostAllows(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.know(t,
		installation.Installation{VCS: "github", ID: "1", Name: "acme", State: installation.Installed},
		installation.Installation{VCS: "github", ID: "2", Name: "left", State: installation.Installed})
	r.ofSession()
	if got := r.list(t, "github"); got != "1 acme active; 2 left active; " {
		t.Fatalf("got %s", got)
	}
	r.github.Person.Installations = []int{1} // the person leaves 2, and the host states so
	r.list(t, "github")
	r.github.Fail(vcstest.Failure{Match: "GET ", Status: http.StatusServiceUnavailable})
	if got := r.list(t, "github"); got != "1 acme active; " {
		t.Errorf("a former member gains: %s", got)
	}
	r.Clock.Add(user.SessionLapse)
	if status, body := r.ask(t, "GET", "/api/v1/github/installations", ""); status != 503 || !strings.Contains(body, "HOST_UNAVAILABLE") {
		t.Errorf("when it lapsed for sessions: %d %s", status, body)
	}
	// Operator memberships stay. The list does not state when the host was asked,
	// because no statement of the host is valid.
	given := vcs.Installation{VCS: "github", ID: "2"}
	if err := r.people.Users.AddMembership(t.Context(), r.Caller.User, given, author()); err != nil {
		t.Fatal(err)
	}
	if got := r.list(t, "github"); got != "2 left active; " {
		t.Errorf("what operators gave: %s", got)
	}
	if got := r.askedAt(t); got != "" {
		t.Errorf("asked at %s, although no statement is valid", got)
	}
}

func TestStorageThatFailsIsNoHostThatIsAway(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.know(t, installation.Installation{VCS: "github", ID: "1", Name: "acme", State: installation.Installed})
	r.list(t, "github")
	r.hosts.people.Renewals = membership.Renewals{DB: r.Env.DynamoDB, Table: "none"}
	if status, body := r.ask(t, "GET", "/api/v1/github/installations", ""); status != 500 || body != "" {
		t.Errorf("got %d %s, want a failure that blames no host", status, body)
	}
}

// TestStorageThatIsSlowIsNoHostThatIsAway makes the storage take longer than a VCS
// is allowed to take.
func TestStorageThatIsSlowIsNoHostThatIsAway(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.know(t, installation.Installation{VCS: "github", ID: "1", Name: "acme", State: installation.Installed})
	r.list(t, "github")
	r.Clock.Add(10 * time.Minute)
	r.listTime = 2 * time.Second
	r.Faults.Add(storagetest.Fault{Delay: 700 * time.Millisecond})
	if got := r.askedAt(t); got != timestamp.Format(r.Clock.Now()) {
		t.Errorf("asked at %s, want now; the log %s", got, r.Log.String())
	}
}

func TestAddressThatGitLabRefusesIsNoLackOfTheCallers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.gitlab.Fail(vcstest.Failure{Match: "GET ", Status: http.StatusForbidden, Body: "Forbidden\n"})
	for path, body := range map[string]string{"/api/v1/gitlab/groups": "", hookPath: ""} {
		r.expect(t, "GET", path, body, 400, "network address")
	}
	if !strings.Contains(r.Log.String(), `it says \"Forbidden\"`) {
		t.Errorf("the log lacks the host's text: %s", r.Log.String())
	}
}
