package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

func TestListIsWhatTheHostSaysNow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.know(t,
		installation.Installation{VCS: "github", ID: "1", Name: "acme", State: installation.Installed},
		installation.Installation{VCS: "github", ID: "10", Name: "ten", State: installation.Suspended},
		installation.Installation{VCS: "github", ID: "3", Name: "other", State: installation.Installed},
		installation.Installation{VCS: "github", ID: "4", Name: "gone", State: installation.Uninstalled},
		installation.Installation{VCS: "gitlab", ID: "77", Name: "Acme", State: installation.Installed})
	r.github.Person.Installations = []int{10, 1, 2, 4} // 2 is not known here
	if got := r.list(t, "github"); got != "1 acme active; 10 ten disabled; " {
		t.Errorf("GitHub: %s", got)
	}
	if got := r.list(t, "gitlab"); got != "77 Acme installed; " {
		t.Errorf("GitLab: %s", got)
	}
	member := func() []vcs.Installation {
		u, err := r.people.Users.Get(t.Context(), r.Caller.User)
		if err != nil {
			t.Fatal(err)
		}
		return u.MembershipsFor(*r.Caller, r.Clock.Now())
	}
	if got := member(); !slices.Contains(got, vcs.Installation{VCS: "github", ID: "10"}) {
		t.Errorf("memberships %v", got)
	}
	r.github.Person.Installations = []int{3}
	if got := r.list(t, "github"); got != "3 other active; " {
		t.Errorf("after a change: %s", got)
	}
	if got := member(); len(got) != 2 || slices.Contains(got, vcs.Installation{VCS: "github", ID: "10"}) {
		t.Errorf("a lost membership stays: %v", got)
	}
	r.github.Person.Installations = nil
	if got := r.list(t, "github"); got != "" {
		t.Errorf("of none: %s", got)
	}
	r.Caller.Capabilities = access.Set{access.AccessTokenCreate, access.Installation("5")}
	if got := r.list(t, "gitlab"); got != "" {
		t.Errorf("restricted to another: %s", got)
	}
	r.Caller.Capabilities = access.Set{access.AccessTokenCreate, access.VCS("github")}
	if got := r.list(t, "gitlab"); got != "403" {
		t.Errorf("restricted to another VCS: %s", got)
	}
}

func TestAllPagesAreRead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.github.Person.Installations = nil
	for id := 1; id <= 2350; id++ {
		r.github.Person.Installations = append(r.github.Person.Installations, id)
	}
	r.know(t, installation.Installation{VCS: "github", ID: "2345", Name: "last", State: installation.Installed})
	if got := r.list(t, "github"); got != "2345 last active; " {
		t.Errorf("got %s", got)
	}
}

func TestGrantIsRefreshedAndOneThatIsRefusedAsksForALogin(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.know(t, installation.Installation{VCS: "github", ID: "1", Name: "acme", State: installation.Installed})
	r.Clock.Set(born.Add(2 * time.Hour)) // a grant lives for one hour
	if got := r.list(t, "github"); got != "1 acme active; " {
		t.Errorf("with a grant to refresh: %s", got)
	}
	if n := r.github.Asked("POST /login/oauth/access_token"); n != 1 {
		t.Errorf("%d grants were asked for, want 1", n)
	}
	// The person revokes the grant. The host's earlier statement stays valid for
	// some time.
	r.github.Down = true
	if got := r.list(t, "github"); got != "1 acme active; " {
		t.Errorf("with a grant that was taken back: %s", got)
	}
	r.Clock.Add(user.KeyLapse + time.Hour)
	r.Caller.Expires = r.Clock.Now().Unix() + 60
	if got := r.list(t, "github"); got != "403" {
		t.Errorf("when it lapsed: %s", got)
	}
}

func TestUserWhoNeverLoggedInHasWhatOperatorsGave(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	u, err := r.people.Users.Create(t.Context(), "machine", author())
	if err != nil {
		t.Fatal(err)
	}
	r.Caller.User = u.ID
	if got := r.list(t, "github"); got != "" {
		t.Errorf("of none: %s", got)
	}
	const many = 130 // more than a caller carries, and more than one batch reads
	var want strings.Builder
	for n := 1; n <= many; n++ {
		i := installation.Installation{VCS: "github", ID: vcs.ID(fmt.Sprint(n)), Name: "acme", State: installation.Installed}
		r.know(t, i)
		if err := r.people.Users.AddMembership(t.Context(), u.ID, vcs.Installation{VCS: "github", ID: i.ID}, author()); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&want, "%d acme active; ", n)
	}
	if got := r.list(t, "github"); got != want.String() {
		t.Errorf("got %s", got)
	}
	if n := r.github.Asked("GET "); n != 0 {
		t.Errorf("the host was asked %d times", n)
	}
	r.Caller.User = "somebody who is gone"
	if got := r.list(t, "github"); got != "403" {
		t.Errorf("a user who is gone: %s", got)
	}
}
