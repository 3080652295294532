//go:build unix

package journey

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
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
	of := session.Holder{User: u.ID, VCS: "github", Account: u.Identities["github"].ID}
	text, _, err := (&session.Store{DB: db, Table: tables["SessionsTable"]}).Create(t.Context(), of, author)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Vouch stores a host's statement about a user's installations, as a login at that time would
// do. It replaces the host's earlier statement.
func (s *Stack) Vouch(t testing.TB, name, vcs string, at time.Time, of ...Installation) {
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
	if _, known := u.Identities[vcs]; !known {
		account := user.Identity{ID: NewID(), Login: name}
		u.Identities = map[string]user.Identity{vcs: account}
		if err := users.PutIdentity(t.Context(), u.ID, vcs, account, change.Author{Principal: "operator:journey", Request: uuid.NewString(), At: at}); err != nil {
			t.Fatal(err)
		}
	}
	var ids []string
	for _, i := range of {
		ids = append(ids, i.ID)
	}
	if err := users.Replace(t.Context(), change.Author{Principal: u.ID, Request: uuid.NewString(), At: at}, u.ID, vcs, u.Identities[vcs].ID, user.Hosted{Installations: ids, AskedAt: at}); err != nil {
		t.Fatal(err)
	}
}
