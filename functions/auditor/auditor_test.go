package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/credential/signing"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/canonical"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/grouptoken"
	"github.com/opsplane/opsplane/shared/vcs/installation"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

var errDown = errors.New("the host is down")

// did is one thing that is done, and the actions of its records.
type did struct {
	name string
	do   func() error
	want string
}

// life returns what can be done to everything that is recorded.
func (r *rig) life(t *testing.T) []did {
	ctx, db := t.Context(), r.Env.DynamoDB
	operations, sessions, projects := r.Env.Table("OperationsTable"), r.Env.Table("SessionsTable"), r.Env.Table("VcsTable")
	users := &user.Store{DB: db, Table: operations}
	keys := &apikey.Store{DB: db, Table: r.Env.Table("TokensTable")}
	signers := &signing.Store{DB: db, KeysTable: r.Env.Table("SigningKeysTable"), TokensTable: r.Env.Table("TokensTable")}
	known := installation.Store{DB: db, Table: operations}
	repositories, tasks := repository.Store{DB: db, Table: projects}, task.Store{DB: db, Table: operations}
	logins := &session.Store{DB: db, Table: sessions}
	box := sealed.NewBox(sealed.Fixed(bytes.Repeat([]byte("s"), 40)))
	grants, groups := &grant.Store{DB: db, Table: sessions, Box: box}, grouptoken.New(db, sessions, box)
	newer := sealed.NewBox(sealed.Fixed(bytes.Repeat([]byte("n"), 40), bytes.Repeat([]byte("s"), 40)))
	rotated, rotatedGroups := &grant.Store{DB: db, Table: sessions, Box: newer}, grouptoken.New(db, sessions, newer)
	records := kv.New(db, r.Env.S3, r.Env.Table("KvTable"), r.Env.Bucket("KvBucket"))
	ns := vcs.Installation{VCS: "github", ID: "42"}
	everything := access.Normalize(access.Strings())
	var u user.User
	var key apikey.Key

	ann := func() grant.Holder { return grant.Holder{User: u.ID, Account: vcs.Account{VCS: "github", ID: "5"}} }
	token := func(of *grant.Store, request string, refused error) error {
		_, err := of.Token(ctx, ann(), func(context.Context, string) (grant.Grant, error) {
			return grant.Grant{Access: "host-secret-5", ExpiresAt: born.Add(time.Hour)}, refused
		}, by(request))
		return err
	}
	var run *task.Run
	set := func(request string, idx int, committed bool, value string) error {
		parsed, err := canonical.Parse([]byte(value))
		if err == nil {
			_, err = records.Set(ctx, kv.Caller{Installation: ns, Capabilities: everything, Author: by(request)}, kv.Write{Key: "plan/1", Idx: idx, Committed: committed, Value: parsed})
		}
		return err
	}
	seen := func(request, name, version string) error {
		return repositories.Apply(ctx, by(request), vcs.Installation{VCS: "github", ID: "42"}, vcs.Description{ID: "7", Owner: "acme", Name: name}, vcs.Version(version))
	}
	zero := 0
	return []did{
		{"make a user", func() (err error) { u, err = users.Create(ctx, "ann", by("1")); return err }, "user.create"},
		{"give a membership", func() error {
			return users.AddMembership(ctx, u.ID, vcs.Installation{VCS: "github", ID: "42"}, by("2"))
		}, "user.change"},
		{"give another, and take the first", func() error {
			if err := users.AddMembership(ctx, u.ID, vcs.Installation{VCS: "github", ID: "43"}, by("2a")); err != nil {
				return err
			}
			return users.RemoveMembership(ctx, u.ID, vcs.Installation{VCS: "github", ID: "42"}, by("2b"))
		}, "user.change"},
		{"link an account", func() error {
			return users.PutIdentity(ctx, u.ID, "github", user.Identity{ID: "5", Login: "ann"}, by("3"))
		}, "user.change"},
		{"hear of memberships", func() error {
			return users.Replace(ctx, by("4"), u.ID, vcs.Account{VCS: "github", ID: "5"}, user.Hosted{Installations: []vcs.ID{"42"}, AskedAt: born})
		}, "user.change"},
		{"hear the same later", func() error {
			return users.Replace(ctx, by("5"), u.ID, vcs.Account{VCS: "github", ID: "5"}, user.Hosted{Installations: []vcs.ID{"42"}, AskedAt: born.Add(time.Hour)})
		}, ""},
		{"make a key", func() (err error) {
			_, key, err = keys.Create(ctx, apikey.New{User: u.ID, Name: "ci", Capabilities: everything}, by("6"))
			return err
		}, "api_key.create"},
		{"use the key", func() error { return keys.MarkUsed(ctx, u.ID, key.ID, by("6a")) }, ""},
		{"revoke it", func() error { return keys.Revoke(ctx, u.ID, key.ID, by("7")) }, "api_key.revoke"},
		{"make a signing key", func() error { _, err := signers.Rotate(ctx, signing.Planned, by("8")); return err }, "signing_key.create"},
		{"rotate it", func() error { _, err := signers.Rotate(ctx, signing.Planned, by("9")); return err }, "signing_key.change signing_key.create"},
		{"destroy both, one of which signs no more", func() error {
			later := by("9a")
			later.At = later.At.Add(time.Hour) // the time to verify with the first key is over
			_, err := signers.Rotate(ctx, signing.Compromised, later)
			return err
		}, "signing_key.change signing_key.change signing_key.create"},
		{"make an installation", func() error {
			_, err := known.Save(ctx, by("10"), installation.Installation{VCS: "github", ID: "42", Name: "acme"})
			return err
		}, "installation.create"},
		{"hear that it is suspended", func() error {
			return known.Apply(ctx, by("11"), installation.Installation{VCS: "github", ID: "42", Name: "acme", State: installation.Suspended}, "1")
		}, "installation.change"},
		{"hear the same again", func() error {
			return known.Apply(ctx, by("12"), installation.Installation{VCS: "github", ID: "42", Name: "acme", State: installation.Suspended}, "2")
		}, ""},
		{"hear of a repository", func() error { return seen("13", "infra", "1") }, "repository.create"},
		{"hear the same of it", func() error { return seen("14", "infra", "2") }, ""},
		{"hear of its new name", func() error { return seen("15", "platform", "3") }, "repository.change"},
		{"remove it", func() error {
			removal := repository.RemovalTask(u.ID, vcs.Installation{VCS: "github", ID: "42"}.Repository("7"), "4")
			err := repositories.Gone(ctx, by("16"), vcs.Installation{VCS: "github", ID: "42"}.Repository("7"), "4", tasks.Writes(by("16"), removal))
			if err == nil {
				run, err = tasks.Begin(ctx, removal.ID, born)
			}
			return err
		}, "repository.remove task.create"},
		{"note progress", func() error { return tasks.Save(ctx, run) }, ""},
		{"end the task", func() error { return tasks.End(ctx, run, task.Completed, "", born) }, "task.change"},
		{"log in", func() (err error) { _, _, err = logins.Create(ctx, ann().User, ann().Account, by("17")); return err }, "session.create"},
		{"take a grant", func() error {
			return grants.Put(ctx, ann(), grant.Grant{Access: "host-secret-1", Refresh: "host-secret-2", ExpiresAt: born}, by("18"))
		}, "grant.create"},
		{"try in vain to refresh it", func() error {
			if err := token(grants, "18a", errDown); !errors.Is(err, errDown) {
				return fmt.Errorf("a host that is down: %w", err)
			}
			return nil
		}, ""},
		{"refresh it", func() error { return token(grants, "18b", nil) }, "grant.change"},
		{"use it after a rotation", func() error { return token(rotated, "18c", nil) }, ""},
		{"store a group's token", func() error { return groups.Put(ctx, "77", "host-secret-3", by("19")) }, "group_token.create"},
		{"store another", func() error { return groups.Put(ctx, "77", "host-secret-4", by("20")) }, "group_token.change"},
		{"use it after a rotation", func() error { _, err := rotatedGroups.Get(ctx, "77"); return err }, ""},
		{"store one after a rotation", func() error { return rotatedGroups.Put(ctx, "77", "host-secret-6", by("20a")) }, "group_token.change"},
		{"set a key", func() error { return set("21", 0, true, `"value-secret"`) }, "key.write"},
		{"set it again", func() error { return set("22", 0, true, `2`) }, "key.write"},
		{"make drafts", func() error {
			for idx := 1; idx <= 3; idx++ {
				if err := set(fmt.Sprint("23-", idx), idx, false, `3`); err != nil {
					return err
				}
			}
			return nil
		}, ""},
		{"commit them", func() error {
			_, err := records.Commit(ctx, kv.Caller{Installation: ns, Capabilities: everything, Author: by("24")}, []kv.Target{{Key: "plan/1"}})
			return err
		}, "key.commit"},
		{"draft over idx 0", func() error { return set("25", 0, false, `4`) }, "key.draft"},
		{"commit that", func() error {
			_, err := records.Commit(ctx, kv.Caller{Installation: ns, Capabilities: everything, Author: by("26")}, []kv.Target{{Key: "plan/1", Idx: &zero}})
			return err
		}, "key.commit"},
		{"remove a row", func() error {
			two := 2
			_, err := records.Delete(ctx, kv.Caller{Installation: ns, Capabilities: everything, Author: by("27")}, kv.Target{Key: "plan/1", Idx: &two}, nil)
			return err
		}, "key.remove"},
		{"remove the key", func() error {
			_, err := records.Delete(ctx, kv.Caller{Installation: ns, Capabilities: everything, Author: by("28")}, kv.Target{Key: "plan/1"}, nil)
			return err
		}, "key.remove"},
		{"remove rows one by one, then the key without rows", func() error {
			for n, idx := range []int{5, 0} {
				if err := set(fmt.Sprint("30-", n), idx, true, `5`); err != nil {
					return err
				}
				if _, err := records.Delete(ctx, kv.Caller{Installation: ns, Capabilities: everything, Author: by(fmt.Sprint("31-", n))}, kv.Target{Key: "plan/1", Idx: &idx}, nil); err != nil {
					return err
				}
			}
			_, err := records.Delete(ctx, kv.Caller{Installation: ns, Capabilities: everything, Author: by("32")}, kv.Target{Key: "plan/1"}, nil)
			return err
		}, ""},
		{"remove nothing", func() error {
			_, err := records.Delete(ctx, kv.Caller{Installation: ns, Capabilities: everything, Author: by("29")}, kv.Target{Key: "nothing"}, nil)
			return err
		}, ""},
	}
}

func TestEveryChangeHasExactlyOneRecord(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	told := map[string]bool{}
	for _, d := range r.life(t) {
		if err := d.do(); err != nil {
			t.Fatalf("%s: %v", d.name, err)
		}
		list := r.changes(t)
		for range 2 { // the stream delivers twice
			if n := tell(t, r.auditor, list); n != len(list) {
				t.Fatalf("%s: %d of %d changes", d.name, n, len(list))
			}
		}
		var fresh []string
		for _, record := range r.all(t) {
			if !told[record.ID] {
				told[record.ID] = true
				if err := audit.CheckAction(record.Action); err != nil {
					t.Errorf("nobody can ask for the action of a record: %v", err)
				}
				fresh = append(fresh, record.Action)
				if strings.HasPrefix(record.Action, "task.change") {
					continue
				}
				credential := "key"
				if record.Action == "session.create" { // the credential of a session's start is the session itself
					credential = record.Subject
				}
				want := audit.Actor{ID: "ann", Credential: credential, Source: "192.0.2.1", Request: record.Actor.Request}
				if record.Actor != want || record.Actor.Request == "" || record.RequestedAt.Before(born) || !record.At.Equal(taken) || record.Subject == "" {
					t.Errorf("%s: %+v", d.name, record)
				}
			}
		}
		slices.Sort(fresh)
		if got := strings.Join(fresh, " "); got != d.want {
			t.Errorf("%s: records %q, want %q", d.name, got, d.want)
		}
	}
	if strings.Contains(r.Log.String(), "ERROR") {
		t.Error(r.Log.String())
	}
	r.checkSecrets(t)
	r.checkDetails(t)
}

// checkSecrets checks that the trail contains nothing forbidden: no secrets, hashes
// or values.
func (r *rig) checkSecrets(t *testing.T) {
	t.Helper()
	trail, err := json.Marshal(r.all(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"host-secret", "value-secret", "opk_", "sealed", "hash", "seed", "AUTHORITY"} {
		if bytes.Contains(trail, []byte(secret)) {
			t.Errorf("the trail has %q", secret)
		}
	}
}

func (r *rig) checkDetails(t *testing.T) {
	t.Helper()
	var lines []string
	for _, record := range r.all(t) {
		if kind, _, _ := strings.Cut(record.Action, "."); kind != "key" && kind != "repository" {
			continue
		}
		idx := "-"
		if record.Idx != nil {
			idx = strconv.Itoa(*record.Idx)
		}
		text, err := json.Marshal([]any{record.Before, record.After})
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%s %s %s/%s %s[%s] %s", record.Actor.Request, record.Action, record.VCS, record.Installation, record.Subject, idx, text))
	}
	slices.Sort(lines)
	want := []string{
		`13 repository.create github/42 7[-] [null,{"name":"infra","owner":"acme"}]`,
		`15 repository.change github/42 7[-] [{"name":"infra"},{"name":"platform"}]`,
		`16 repository.remove github/42 7[-] [null,{"gone":true}]`,
		`21 key.write github/42 plan/1[0] [null,{"committed":true,"size":14,"version":0}]`,
		`22 key.write github/42 plan/1[0] [{"committed":true,"size":14,"version":0},{"committed":true,"size":1,"version":1}]`,
		`24 key.commit github/42 plan/1[-] [null,{"row_count":3,"rows":[[1,3]]}]`,
		`25 key.draft github/42 plan/1[0] [{"committed":true,"size":1,"version":1},{"committed":false,"size":1,"version":2}]`,
		`26 key.commit github/42 plan/1[-] [null,{"row_count":1,"rows":[[0,0]]}]`,
		`27 key.remove github/42 plan/1[2] [{"committed":false,"size":1,"version":0},null]`,
		`28 key.remove github/42 plan/1[-] [{"committed":true,"size":1,"version":2},null]`,
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

// TestAuditorThatIsKilledAfterAnyCallLeavesTheSameTrail makes each write of the
// auditor fail in every way, and delivers the batches again, divided differently.
func TestAuditorThatIsKilledAfterAnyCallLeavesTheSameTrail(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var list []events.DynamoDBEventRecord
	for _, d := range r.life(t) {
		if err := d.do(); err != nil {
			t.Fatalf("%s: %v", d.name, err)
		}
		list = append(list, r.changes(t)...)
	}
	n := 0
	for rest := list; len(rest) > 0; n++ {
		calls := 0
		dies := &storagetest.Faults{Choose: func(string) storagetest.Fault {
			switch calls++; {
			case calls > 2:
				return storagetest.Fault{Kind: storagetest.Refuse}
			case calls == 2:
				return storagetest.Fault{Kind: storagetest.Kind(1 + n%5)} // Throttle to LoseRequest
			}
			return storagetest.Fault{}
		}}
		tell(t, r.over(r.Role.WithFaults(dies)), rest)
		done := tell(t, r.auditor, rest[:min(3, len(rest))])
		rest = rest[done:]
	}
	broken := r.all(t)
	calm := newRig(t)
	calm.sources = r.sources // the changes are those of the other auditor's tables
	tell(t, calm.auditor, list)
	want := calm.all(t)
	if got, text := lines(t, broken), lines(t, want); got != text || len(want) < 20 {
		t.Errorf("%d records, want %d:\n%s\n%s", len(broken), len(want), got, text)
	}
}

// lines returns records as JSON.
func lines(t *testing.T, list []audit.Record) string {
	t.Helper()
	text, err := json.MarshalIndent(list, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
