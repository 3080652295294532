//go:build unix

package journey

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/membership"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/grouptoken"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

// secret reads one of the stack's secrets.
func (s *Stack) secret(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.State, "secrets", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// box returns a box that seals as the stack does.
func (s *Stack) box(t testing.TB) *sealed.Box {
	text := s.secret(t, "opsplane-serversecret")
	return sealed.NewBox(sealed.Fixed([]byte(text)))
}

func operator(at time.Time) change.Author {
	return change.Author{Principal: "operator:journey", Request: uuid.NewString(), At: at}
}

// Link connects an account at a VCS with a user, and stores the host's token of the account, as
// a login would do.
func (s *Stack) Link(t testing.TB, name string, at vcs.VCS, account user.Identity, token string) {
	t.Helper()
	db, tables, err := s.storage()
	if err != nil {
		t.Fatal(err)
	}
	users := &user.Store{DB: db, Table: tables["OperationsTable"]}
	u, err := users.ByName(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if err := users.PutIdentity(t.Context(), u.ID, at, account, operator(now)); err != nil {
		t.Fatal(err)
	}
	grants := grant.Store{DB: db, Table: tables["SessionsTable"], Box: s.box(t)}
	if err := grants.Put(t.Context(), grant.Holder{User: u.ID, Account: vcs.Account{VCS: at, ID: account.ID}}, grant.Grant{Access: token}, operator(now)); err != nil {
		t.Fatal(err)
	}
}

// Expect sets the renewal at a VCS of a user who was active at a time.
func (s *Stack) Expect(t testing.TB, name string, system vcs.VCS, at time.Time) {
	t.Helper()
	db, tables, err := s.storage()
	if err != nil {
		t.Fatal(err)
	}
	u, err := (&user.Store{DB: db, Table: tables["OperationsTable"]}).ByName(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if err := (membership.Renewals{DB: db, Table: tables["OperationsTable"]}).Expect(t.Context(), u.ID, system, at); err != nil {
		t.Fatal(err)
	}
}

// GroupToken stores the access token of a GitLab group.
func (s *Stack) GroupToken(t testing.TB, group Installation, token string) {
	t.Helper()
	db, tables, err := s.storage()
	if err != nil {
		t.Fatal(err)
	}
	if err := grouptoken.New(db, tables["SessionsTable"], s.box(t)).Put(t.Context(), vcs.ID(group.ID), token, operator(time.Now())); err != nil {
		t.Fatal(err)
	}
}

// Repository stores a repository as if a host had stated it.
func (s *Stack) Repository(t testing.TB, in Installation, seen vcs.Description) {
	t.Helper()
	db, tables, err := s.storage()
	if err != nil {
		t.Fatal(err)
	}
	store := repository.Store{DB: db, Table: tables["VcsTable"]}
	if err := store.Apply(t.Context(), operator(time.Now()), vcs.Installation{VCS: vcs.VCS(in.VCS), ID: vcs.ID(in.ID)}, seen, "1"); err != nil {
		t.Fatal(err)
	}
}
