package admin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/audit"
)

func TestUsersAndInstallationsAreListedByName(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, line := range []string{
		"user create zoe", "user create ann",
		"installation create --vcs gitlab --id 7 --name acme-group", "installation create --vcs github --id 42 --name zulu", "installation create --vcs github --id 43 --name acme",
		"membership add --user ann --vcs github --installation 42", "account link --user ann --vcs gitlab --id 9 --login ann-at-gitlab",
	} {
		r.must(line, "")
	}
	ann := r.user("ann")
	users := strings.Split(r.must("user list", "NAME"), "\n")
	if len(users) != 3 || !strings.HasPrefix(users[1], "ann ") || !strings.HasPrefix(users[2], "zoe ") {
		t.Errorf("got %q, want ann and zoe", users)
	}
	for _, want := range []string{ann.ID, "gitlab:ann-at-gitlab", "github/42", ann.CreatedAt.UTC().Format(time.RFC3339)} {
		if !strings.Contains(users[1], want) {
			t.Errorf("got %q, want %s in it", users[1], want)
		}
	}
	var order []string
	for _, line := range strings.Split(r.must("installation list", "VCS"), "\n")[1:] {
		order = append(order, strings.Fields(line)[0]+"/"+strings.Fields(line)[1])
	}
	if got := strings.Join(order, " "); got != "github/43 github/42 gitlab/7" {
		t.Errorf("got %s, want them by VCS and name", got)
	}
	r.must("user show "+ann.ID, "name     ann")
	r.must("key list --user "+ann.ID, "")
	r.refused("user show "+uuid.NewString(), "user list")
}

func TestTrailNamesUsersBesideTheirIds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must("user create ann", "")
	ann, gone := r.user("ann").ID, uuid.NewString()
	trail := audit.Store{DB: r.env.DynamoDB, Table: r.env.Table("AuditTable")}
	for n, actor := range []string{ann, gone, "operator:tester"} {
		at := time.Now().Add(-time.Duration(n) * time.Minute)
		record := audit.Record{ID: uuid.NewString(), At: at, Action: "user.change", Subject: "x", Actor: audit.Actor{ID: actor}}
		if _, err := trail.Put(t.Context(), record); err != nil {
			t.Fatal(err)
		}
	}
	out := r.must("audit list", "user.change")
	for _, want := range []string{`by "` + ann + `" (ann)  `, `by "` + gone + `"  `, `by "operator:tester"  `} {
		if !strings.Contains(out, want) {
			t.Errorf("got\n%s\nwant %q in it", out, want)
		}
	}
}
