package installation_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

func author(request string, at time.Time) change.Author {
	return change.Author{Principal: "operator:ann", Request: request, At: at}
}

func TestSaveCreatesRenamesAndLeavesAlone(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	s := installation.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")}
	ctx := context.Background()
	born := time.Unix(4_000_000_000, 0).UTC()
	for _, c := range []struct {
		request, name string
		want          installation.Outcome
		lastRequest   string
	}{
		{"r1", "acme", installation.Created, "r1"},
		{"r2", "acme", installation.Unchanged, "r1"},
		{"r3", "acme-corp", installation.Renamed, "r3"},
	} {
		got, err := s.Save(ctx, author(c.request, born.Add(time.Hour)), installation.Installation{VCS: "github", ID: "42", Name: c.name})
		if err != nil || got != c.want {
			t.Fatalf("save %s: %v, %v; want %v", c.name, got, err, c.want)
		}
		if got := requestOf(t, env, s.Table); got != c.lastRequest {
			t.Errorf("after saving %s: changed last by %q, want %q", c.name, got, c.lastRequest)
		}
	}
	got, err := s.Get(ctx, vcs.Installation{VCS: "github", ID: "42"})
	want := installation.Installation{VCS: "github", ID: "42", Name: "acme-corp", CreatedAt: born.Add(time.Hour)}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if _, err := s.Get(ctx, vcs.Installation{VCS: "gitlab", ID: "42"}); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("the same id on the other VCS: %v, want %v", err, fault.ErrNotFound)
	}
}

// requestOf returns the request that last changed installation github/42.
func requestOf(t *testing.T, env *storagetest.Env, table string) string {
	t.Helper()
	out, err := env.DynamoDB.GetItem(context.Background(), &dynamodb.GetItemInput{
		TableName: &table, ConsistentRead: aws.Bool(true),
		Key: map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: "INSTALLATION#github#42"},
			"sk": &types.AttributeValueMemberS{Value: "INSTALLATION"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := out.Item[change.AttrRequest].(*types.AttributeValueMemberS)
	if s == nil {
		t.Fatalf("no %s in %v", change.AttrRequest, out.Item)
	}
	return s.Value
}

func TestImpossibleInstallationsAreRefused(t *testing.T) {
	t.Parallel()
	var s installation.Store // refused without a call to the storage
	for _, i := range []installation.Installation{
		{VCS: "bitbucket", ID: "1", Name: "x"},
		{VCS: "github", ID: "", Name: "x"},
		{VCS: "github", ID: "0", Name: "x"},
		{VCS: "github", ID: "01", Name: "x"},
		{VCS: "github", ID: "-1", Name: "x"},
		{VCS: "github", ID: "acme", Name: "x"},
		{VCS: "github", ID: vcs.ID(strings.Repeat("9", 20)), Name: "x"},
		{VCS: "github", ID: "1", Name: ""},
		{VCS: "github", ID: "1", Name: strings.Repeat("x", installation.MaxName+1)},
	} {
		var f *fault.Error
		if _, err := s.Save(context.Background(), author("r", time.Now()), i); !errors.As(err, &f) || f.Kind != fault.Invalid {
			t.Errorf("save %+v: %v, want an Invalid fault", i, err)
		}
	}
}

func TestSaveSaysWhatItDidThoughTheAnswerIsLost(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	born := time.Unix(4_000_000_000, 0).UTC()
	for i, c := range []struct {
		name string
		want installation.Outcome
	}{
		{"acme", installation.Created}, {"acme-corp", installation.Renamed}, {"acme-corp", installation.Unchanged},
	} {
		var f storagetest.Faults
		f.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 1, Kind: storagetest.LoseAnswer})
		s := installation.Store{DB: env.WithFaults(&f).DynamoDB, Table: env.Table("OperationsTable")}
		got, err := s.Save(context.Background(), author(strings.Repeat("r", i+1), born.Add(time.Duration(i)*time.Hour)),
			installation.Installation{VCS: "github", ID: "42", Name: c.name})
		if err != nil || got != c.want || f.Calls("UpdateItem") != 2 {
			t.Errorf("%d: got %v, %v after %d calls; want %v after 2", i, got, err, f.Calls("UpdateItem"), c.want)
		}
	}
}
