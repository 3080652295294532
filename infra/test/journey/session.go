//go:build unix

package journey

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Session begins a session of a user in the stack's own storage, as a login at that time would
// do, because a real login needs a person. It returns the text of the cookie.
func (s *Stack) Session(t testing.TB, name string, at time.Time) string {
	t.Helper()
	db, tables, err := s.storage()
	if err != nil {
		t.Fatal(err)
	}
	u, err := (&user.Store{DB: db, Table: tables["OperationsTable"]}).ByName(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	author := change.Author{Principal: u.ID, Request: uuid.NewString(), At: at}
	account := vcs.Account{VCS: vcs.GitHub, ID: u.Identities[vcs.GitHub].ID}
	text, _, err := (&session.Store{DB: db, Table: tables["SessionsTable"]}).Create(t.Context(), u.ID, account, author)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Vouch stores a host's statement about a user's installations, as a login at that time would
// do. It replaces the host's earlier statement.
func (s *Stack) Vouch(t testing.TB, name string, system vcs.VCS, at time.Time, of ...Installation) {
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
	if _, known := u.Identities[system]; !known {
		account := user.Identity{ID: vcs.ID(NewID()), Login: name}
		u.Identities = map[vcs.VCS]user.Identity{system: account}
		if err := users.PutIdentity(t.Context(), u.ID, system, account, change.Author{Principal: "operator:journey", Request: uuid.NewString(), At: at}); err != nil {
			t.Fatal(err)
		}
	}
	var ids []vcs.ID
	for _, i := range of {
		ids = append(ids, vcs.ID(i.ID))
	}
	if err := users.Replace(t.Context(), change.Author{Principal: u.ID, Request: uuid.NewString(), At: at}, u.ID, vcs.Account{VCS: system, ID: u.Identities[system].ID}, user.Hosted{Installations: ids, AskedAt: at}); err != nil {
		t.Fatal(err)
	}
}
