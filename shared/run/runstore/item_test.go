package runstore_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// TestEachTransitionNamesItsAuthor reads the author from the run's item after each
// transition.
func TestEachTransitionNamesItsAuthor(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	ctx, c := t.Context(), creation(run.Plan, dirs("a"))
	var claimed run.Run
	for n, transition := range []func(change.Author) error{
		func(a change.Author) error { _, err := s.Create(ctx, c, a); return err },
		func(a change.Author) (err error) { claimed, _, err = s.Claim(ctx, repository, lease, a); return err },
		func(a change.Author) error {
			_, err := s.DispatchFailed(ctx, claimed, "no", born, a)
			return err
		},
		func(a change.Author) error {
			_, err := s.Dispatched(ctx, claimed, runstore.HostRun{}, a)
			return err
		},
		func(a change.Author) error { _, err := s.Initiate(ctx, c.Spec.ID, job("1"), a); return err },
		func(a change.Author) error { _, err := s.Complete(ctx, c.Spec.ID, done(1), a); return err },
	} {
		author := at(time.Duration(n) * time.Second)
		author.Principal, author.Credential = string(rune('a'+n)), ""
		if n%2 == 0 {
			author.Credential = "key"
		}
		if err := transition(author); err != nil {
			t.Fatalf("transition %d: %v", n, err)
		}
		item, err := runstoreTable(s).Get(ctx, runstore.Key(c.Spec.ID))
		if err != nil {
			t.Fatal(err)
		}
		r := attr.Read(item)
		if r.String(change.AttrPrincipal) != author.Principal || r.String(change.AttrCredential) != author.Credential || r.String(change.AttrRequest) != author.Request ||
			r.String(change.AttrSource) != author.Source || r.Int(change.AttrAt) != author.At.UnixMilli() || r.Int("version") != int64(n+1) {
			t.Errorf("transition %d of %+v is stored as %v", n, author, item)
		}
	}
}

// TestEveryItemOfARunExpires looks at all items that a repository's runs leave. Only
// the counters, the unlocks and the row that names the repository stay.
func TestEveryItemOfARunExpires(t *testing.T) {
	t.Parallel()
	env, s := open(t)
	full(t, s)
	c := keyed("ann", "k", "plan")
	create(t, s, c, 0)
	name := env.Table("RunsTable")
	out, err := env.DynamoDB.Scan(t.Context(), &dynamodb.ScanInput{TableName: &name})
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]bool{}
	for _, item := range out.Items {
		r := attr.Read(item)
		pk, sk, ttl := r.String("pk"), r.String("sk"), r.Time("ttl")
		switch {
		case sk == "PLAN#1": // of another package
		case ttl.IsZero():
			kept[sk] = true
		case !ttl.After(born) || ttl.After(born.Add(s.Limits.Keep+s.Limits.Report)):
			// A reminder is kept as long as a run, counted from its time.
			t.Errorf("%s %s expires at %s", pk, sk, ttl)
		}
	}
	if len(kept) != 3 || !kept["LANE"] || !kept["UNLOCK#DRIFT"] || !kept["7"] {
		t.Errorf("items that do not expire: %v", kept)
	}
}
