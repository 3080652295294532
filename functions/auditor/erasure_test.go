package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/grouptoken"
	"github.com/opsplane/opsplane/shared/vcs/installation"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

// TestErasureHasOneRecordWithItsAuthor marks every kind of item and then removes
// it. The stream delivers both changes.
func TestErasureHasOneRecordWithItsAuthor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, db := t.Context(), r.Env.DynamoDB
	operations, tokens, sessions, facts := r.Env.Table("OperationsTable"), r.Env.Table("TokensTable"), r.Env.Table("SessionsTable"), r.Env.Table("VcsTable")
	u, err := (&user.Store{DB: db, Table: operations}).SignIn(ctx, "github", user.Identity{ID: "5", Login: "ann"}, by("1"))
	if err != nil {
		t.Fatal(err)
	}
	box := sealed.NewBox(sealed.Fixed(bytes.Repeat([]byte("s"), 40)))
	_, err = installation.Store{DB: db, Table: operations}.Save(ctx, by("2"), installation.Installation{VCS: "github", ID: "42", Name: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = (&apikey.Store{DB: db, Table: tokens}).Create(ctx, apikey.New{User: u.ID, Name: "ci", Capabilities: access.Set{}}, by("3")); err != nil {
		t.Fatal(err)
	}
	if err = (&grant.Store{DB: db, Table: sessions, Box: box}).Put(ctx, grant.Holder{User: u.ID, Account: vcs.Account{VCS: "github", ID: "5"}}, grant.Grant{Access: "a"}, by("4")); err != nil {
		t.Fatal(err)
	}
	if err = grouptoken.New(db, sessions, box).Put(ctx, "42", "token", by("5")); err != nil {
		t.Fatal(err)
	}
	if err = (repository.Store{DB: db, Table: facts}).Apply(ctx, by("6"), vcs.Installation{VCS: "github", ID: "42"}, vcs.Description{ID: "7", Owner: "acme", Name: "infra"}, "1"); err != nil {
		t.Fatal(err)
	}
	operator := by("erase")
	operator.Principal, operator.Credential, operator.Source = "operator:tester", "", ""
	known := len(r.told(t))
	for _, c := range []struct {
		erase func(db *dynamodb.Client) error
		want  string // the records of the mark
	}{
		{func(db *dynamodb.Client) error {
			_, err := (&user.Store{DB: db, Table: operations}).Erase(ctx, u.ID, operator)
			return err
		}, "user.erase"},
		{func(db *dynamodb.Client) error {
			_, _, err := (&apikey.Store{DB: db, Table: tokens}).Erase(ctx, u.ID, operator, 10)
			return err
		}, "api_key.revoke"}, // mark and revocation are one change between two readings
		{func(db *dynamodb.Client) error {
			_, err := grant.Erase(ctx, db, sessions, u.ID, "github", operator)
			return err
		}, "grant.erase"},
		{func(db *dynamodb.Client) error {
			_, err := grouptoken.Erase(ctx, db, sessions, "42", operator)
			return err
		}, "group_token.erase"},
		{func(db *dynamodb.Client) error {
			_, _, err := repository.Store{DB: db, Table: facts}.Erase(ctx, operator, vcs.Installation{VCS: "github", ID: "42"}, 10)
			return err
		}, "repository.erase"},
		{func(db *dynamodb.Client) error {
			_, err := installation.Store{DB: db, Table: operations}.Erase(ctx, operator, vcs.Installation{VCS: "github", ID: "42"})
			return err
		}, "installation.erase"},
	} {
		// At first nothing is removed: the worker dies after the mark.
		dies := &storagetest.Faults{Choose: func(operation string) storagetest.Fault {
			if operation == "DeleteItem" || operation == "TransactWriteItems" {
				return storagetest.Fault{Kind: storagetest.Refuse}
			}
			return storagetest.Fault{}
		}}
		if err := c.erase(r.Env.WithFaults(dies).DynamoDB); err == nil {
			t.Errorf("%s: the worker did not die", c.want)
		}
		list := r.told(t)
		at := slices.IndexFunc(list, func(a audit.Record) bool { return a.Action == c.want })
		if len(list) != known+1 || at < 0 {
			t.Fatalf("%s: the trail has %d records more: %+v", c.want, len(list)-known, list)
		}
		if want := (audit.Actor{ID: "operator:tester", Request: "erase"}); list[at].Actor != want || list[at].Subject == "" {
			t.Errorf("%s: %+v", c.want, list[at])
		}
		if strings.HasPrefix(c.want, "repository") && list[at].Scope() != "github/42" {
			t.Errorf("%s: it belongs to %s", c.want, list[at].Scope())
		}
		if err := c.erase(db); err != nil {
			t.Fatal(err)
		}
		if known++; len(r.told(t)) != known {
			t.Errorf("%s: the removal has a record besides", c.want)
		}
	}
}

// told delivers to the auditor what has happened since, and returns the trail.
func (r *rig) told(t *testing.T) []audit.Record {
	t.Helper()
	list := r.changes(t)
	if n := tell(t, r.auditor, list); n != len(list) {
		t.Fatalf("%d of %d changes", n, len(list))
	}
	return r.all(t)
}
