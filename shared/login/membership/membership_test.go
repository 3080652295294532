package membership_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/membership"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

var now = time.Unix(4_000_000_000, 0).UTC()

func author(after time.Duration) change.Author {
	return change.Author{Principal: "ann", Request: uuid.NewString(), At: now.Add(after)}
}

// hosts returns both hosts, on one server.
func hosts(v *vcstest.People) map[vcs.VCS]membership.Host {
	return map[vcs.VCS]membership.Host{"github": githubhost.NewPeople(v.URL), "gitlab": gitlabhost.NewPeople(v.URL + "/api")}
}

func TestRenewStoresWhatTheServerKnowsOfWhatTheHostSays(t *testing.T) {
	t.Parallel()
	for _, system := range vcs.All() {
		env, v := storagetest.New(t), vcstest.NewPeople(t)
		table := env.Table("OperationsTable")
		m := membership.Memberships{
			Users: &user.Store{DB: env.DynamoDB, Table: table}, Installations: installation.Store{DB: env.DynamoDB, Table: table},
			Renewals: membership.Renewals{DB: env.DynamoDB, Table: table},
		}
		for _, id := range []vcs.ID{"1", "3"} {
			if _, err := m.Installations.Save(t.Context(), author(0), installation.Installation{VCS: system, ID: id, Name: "known"}); err != nil {
				t.Fatal(err)
			}
		}
		u, err := m.Users.SignIn(t.Context(), system, user.Identity{ID: "583231", Login: "ann"}, author(0))
		if err != nil {
			t.Fatal(err)
		}
		renew := func(after time.Duration, account vcs.ID, want ...vcs.ID) {
			t.Helper()
			of := grant.Holder{User: u.ID, Account: vcs.Account{VCS: system, ID: account}}
			if _, err := m.Renew(t.Context(), author(after), hosts(v)[system], of, vcstest.PersonToken); err != nil {
				t.Fatal(err)
			}
			stored, err := m.Users.Get(t.Context(), u.ID)
			if got := stored.Hosted[system].Installations; err != nil || !slices.Equal(got, want) {
				t.Errorf("%s after %s: stored %v, %v; want %v", system, after, got, err, want)
			}
		}
		v.Person.Installations = []int{3, 2, 1, 1}
		renew(time.Minute, "583231", "1", "3")
		v.Person.Installations = []int{3}
		renew(2*time.Minute, "583231", "3")
		v.Person.Installations = []int{1}
		renew(time.Minute, "583231", "3") // asked for before
		renew(3*time.Minute, "1000", "3") // asked with an account that the user does not have
		renew(3*time.Minute, "583231", "1")
		v.Down = true
		of := grant.Holder{User: u.ID, Account: vcs.Account{VCS: system, ID: "583231"}}
		if got, err := m.Renew(t.Context(), author(time.Hour), hosts(v)[system], of, vcstest.PersonToken); err == nil {
			t.Errorf("%s, a host that is down: got %v", system, got)
		}
		if stored, err := m.Users.Get(t.Context(), u.ID); err != nil || !slices.Equal(stored.Hosted[system].Installations, []vcs.ID{"1"}) {
			t.Errorf("%s: a host that is down changed %v, %v", system, stored.Hosted, err)
		}
	}
}
