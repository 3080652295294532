package admin_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/vcs"
)

// seeded fails the test unless the stack is as Seed leaves it, with this key.
func (r *rig) seeded(text string) {
	r.t.Helper()
	secret, err := apikey.Parse(text)
	if err != nil {
		r.t.Fatalf("%q: %v", text, err)
	}
	u := r.user("admin")
	if want := (vcs.Installation{VCS: "github", ID: "1"}); len(u.Memberships) != 1 || u.Memberships[0] != want {
		r.t.Errorf("memberships %v, want %v", u.Memberships, want)
	}
	keys := r.keys("admin")
	if len(keys) != 1 || keys[0].ID != secret.ID || len(keys[0].Capabilities) != len(access.Strings()) || !keys[0].Capabilities.HasAll(access.Strings()) {
		r.t.Errorf("keys %+v, want %s alone, with every string capability", keys, secret.ID)
	}
	if n := len(r.signingKeys()); n != 1 {
		r.t.Errorf("%d signing keys, want 1", n)
	}
}

func TestSeedTwiceLeavesOneKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for range 2 {
		text, err := r.operator.Seed(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		r.seeded(text)
	}
}

// TestSeedAfterACrashAnywhere makes the first run die at each of its writes, both
// before and after the write takes effect, and then runs it again.
func TestSeedAfterACrashAnywhere(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"TransactWriteItems", "UpdateItem", "PutItem"} {
		for n := range 2 {
			for _, kind := range []storagetest.Kind{storagetest.LoseAnswer, storagetest.LoseRequest} {
				r := newRig(t)
				var faults storagetest.Faults
				// After the fault, no further request succeeds, as in a crash.
				faults.Add(storagetest.Fault{Operation: operation, Nth: n + 1, Kind: kind, Before: func() {
					faults.Add(storagetest.Fault{Kind: storagetest.Refuse})
				}})
				whole := r.operator.DB
				r.operator.DB = r.env.WithFaults(&faults).DynamoDB
				_, err := r.operator.Seed(context.Background())
				r.operator.DB = whole
				if err == nil && faults.Calls(operation) > n {
					t.Errorf("%s %d, %v: the first run did not fail", operation, n, kind)
				}
				text, err := r.operator.Seed(context.Background())
				if err != nil {
					t.Fatalf("%s %d, %v: %v", operation, n, kind, err)
				}
				r.seeded(text)
			}
		}
	}
}

// TestEveryChangeHasItsAuthor reads every item that the commands left.
func TestEveryChangeHasItsAuthor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for range 2 {
		if _, err := r.operator.Seed(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	r.must("signing-key rotate", "")
	r.must("membership remove --user admin --vcs github --installation 1", "")
	tables := r.operator.Tables
	for _, table := range []string{tables.Tokens, tables.SigningKeys, tables.Operations} {
		out, err := r.env.DynamoDB.Scan(context.Background(), &dynamodb.ScanInput{TableName: aws.String(table)})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Items) == 0 {
			t.Errorf("%s is empty", table)
		}
		for _, item := range out.Items {
			by, _ := item[change.AttrPrincipal].(*types.AttributeValueMemberS)
			request, _ := item[change.AttrRequest].(*types.AttributeValueMemberS)
			if by == nil || by.Value != "operator:tester" || request == nil || request.Value == "" || item[change.AttrAt] == nil {
				t.Errorf("%s: item %v has no author", table, item["pk"])
			}
		}
	}
}
