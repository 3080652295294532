package admin_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestAccountIsTiedToAUser(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	users := &user.Store{DB: r.env.DynamoDB, Table: r.env.Table("OperationsTable")}
	login := func(id string) user.User {
		t.Helper()
		u, err := users.SignIn(t.Context(), "github", user.Identity{ID: vcs.ID(id), Login: "ann-at-github"}, change.Author{Request: uuid.NewString(), At: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	r.must("user create ann", "created")
	r.must("account link --user ann --vcs github --id 583231 --login ann-at-github", "is user ann now")
	if got := login("583231"); got.Name != "ann" {
		t.Errorf("got %+v, want ann", got)
	}
	r.must("user show ann", "ann-at-github at github")
	login("7")
	r.must("user show github:7", "ann-at-github at github")
	for line, id := range map[string]string{
		"account link --user ann --vcs github --id 7 --login x":    "ACCOUNT_TAKEN",
		"account link --user ann --vcs github --id ann --login x":  "INVALID_ACCOUNT_ID",
		"account link --user ann --vcs bitbucket --id 7 --login x": "INVALID_VCS",
		"account link --user ben --vcs github --id 9 --login x":    "NO_SUCH_USER",
	} {
		_, err := r.run(line)
		if f := new(fault.Error); !errors.As(err, &f) || f.ID != id {
			t.Errorf("%s: got %v, want %s", line, err, id)
		}
	}
	u, err := users.ByName(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	if err := users.Replace(t.Context(), change.Author{Principal: u.ID, Request: uuid.NewString(), At: time.Now()}, u.ID, vcs.Account{VCS: "github", ID: "583231"}, user.Hosted{Installations: []vcs.ID{"42"}, AskedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	r.must("user show ann", "member   of github installation 42, stated by github at ")
}
