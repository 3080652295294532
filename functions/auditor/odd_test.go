package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/canonical"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestChangeThatCannotBeReadHasARecordAndHoldsUpNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	users := &user.Store{DB: r.Env.DynamoDB, Table: r.Env.Table("OperationsTable")}
	if _, err := users.Create(t.Context(), "ann", by("1")); err != nil {
		t.Fatal(err)
	}
	list := r.changes(t)
	odd := list[0]
	odd.Change.SequenceNumber = "77"
	odd.Change.NewImage = maps.Clone(odd.Change.NewImage)
	odd.Change.NewImage[change.AttrAt] = events.NewStringAttribute("yesterday")
	for range 2 {
		if n := tell(t, r.auditor, append([]events.DynamoDBEventRecord{odd}, list...)); n != len(list)+1 {
			t.Errorf("%d changes were taken", n)
		}
	}
	got := r.all(t)
	if len(got) != 2 || got[0].Action != "user.create" || got[1].Action != "unreadable.change" || got[1].Subject != "OperationsTable" || !got[1].Truncated {
		t.Errorf("trail %+v", got)
	}
	if n := strings.Count(r.Log.String(), `"sequence_number":"77"`); n != 2 {
		t.Errorf("%d lines of the log tell of it: %s", n, r.Log.String())
	}
}

func TestStreamOfAnotherTableIsHandedBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	users := &user.Store{DB: r.Env.DynamoDB, Table: r.Env.Table("OperationsTable")}
	if _, err := users.Create(t.Context(), "ann", by("1")); err != nil {
		t.Fatal(err)
	}
	list := r.changes(t)
	list[0].EventSourceArn = "arn:aws:dynamodb:us-east-1:1:table/somebody-elses/stream/x"
	if n := tell(t, r.auditor, list); n != 0 {
		t.Errorf("%d changes were taken: they would be lost", n)
	}
}

// Records must stay far below the limit of an item.
func TestLargestMembershipsLeaveARecord(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	users := &user.Store{DB: r.Env.DynamoDB, Table: r.Env.Table("OperationsTable")}
	u, err := users.Create(t.Context(), "ann", by("1"))
	if err != nil {
		t.Fatal(err)
	}
	tell(t, r.auditor, r.changes(t))
	var ids []vcs.ID
	for n := range user.MaxHosted {
		ids = append(ids, vcs.ID(fmt.Sprint(10_000_000+n)))
	}
	if err := users.Replace(t.Context(), by("2"), u.ID, vcs.Account{VCS: "github", ID: ""}, user.Hosted{Installations: ids, AskedAt: born}); err != nil {
		t.Fatal(err)
	}
	r.takesTruncated(t, "user.change")
	// Of a set, only the difference is shown.
	if err := users.Replace(t.Context(), by("3"), u.ID, vcs.Account{VCS: "github", ID: ""}, user.Hosted{Installations: append(ids[1:], "5"), AskedAt: born.Add(time.Second)}); err != nil {
		t.Fatal(err)
	}
	tell(t, r.auditor, r.changes(t))
	all := r.all(t)
	i := slices.IndexFunc(all, func(r audit.Record) bool { return r.Actor.Request == "3" })
	if text := lines(t, all[i:i+1]); all[i].Truncated || fmt.Sprint(all[i].Before, all[i].After) != "map[hosted_github:[10000000]] map[hosted_github:[5]]" {
		t.Errorf("one of %d memberships for another: %.500s", len(ids), text)
	}
}

func TestCommitOfManyScatteredRowsLeavesARecord(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	records := kv.New(r.Env.DynamoDB, r.Env.S3, r.Env.Table("KvTable"), r.Env.Bucket("KvBucket"))
	ns, everything := vcs.Installation{VCS: "github", ID: "42"}, access.Normalize(access.Strings())
	value, err := canonical.Parse([]byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	const rows = 1500
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(16)
	for n := range rows {
		group.Go(func() error {
			_, err := records.Set(ctx, kv.Caller{Installation: ns, Capabilities: everything, Author: by(fmt.Sprint("1-", n))}, kv.Write{Key: "plan", Idx: 2*n + 1, Value: value})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	tell(t, r.auditor, r.changes(t))
	if _, err := records.Commit(t.Context(), kv.Caller{Installation: ns, Capabilities: everything, Author: by("2")}, []kv.Target{{Key: "plan"}}); err != nil {
		t.Fatal(err)
	}
	record := r.takesTruncated(t, "key.commit")
	if got := fmt.Sprint(record.After["row_count"]); got != fmt.Sprint(rows) {
		t.Errorf("%s rows, want %d", got, rows)
	}
}

// takesTruncated returns the record of the latest change. The record shows only a
// part of the change.
func (r *rig) takesTruncated(t *testing.T, action string) audit.Record {
	t.Helper()
	list := r.changes(t)
	if n := tell(t, r.auditor, list); n != len(list) {
		t.Fatalf("%d of %d changes were taken: %s", n, len(list), r.Log.String())
	}
	all := r.all(t)
	i := slices.IndexFunc(all, func(r audit.Record) bool { return r.Action == action && r.Truncated })
	if i < 0 {
		t.Fatalf("no record of %s is truncated: %.1000s", action, lines(t, all))
	}
	if text, err := json.Marshal(all[i]); err != nil || len(text) > 16<<10 {
		t.Errorf("%s: %d bytes, %v", action, len(text), err)
	}
	return all[i]
}

func TestWhatExpiresLeavesNoRecord(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	users := &user.Store{DB: r.Env.DynamoDB, Table: r.Env.Table("OperationsTable")}
	if _, err := users.Create(t.Context(), "ann", by("1")); err != nil {
		t.Fatal(err)
	}
	list := r.changes(t)[:1]
	list[0].Change.OldImage, list[0].Change.NewImage = list[0].Change.NewImage, nil
	list[0].UserIdentity = &events.DynamoDBUserIdentity{Type: "Service", PrincipalID: "dynamodb.amazonaws.com"}
	if n := tell(t, r.auditor, list); n != 1 || len(r.all(t)) != 0 {
		t.Errorf("%d changes taken, trail %+v", n, r.all(t))
	}
	list[0].UserIdentity = nil // somebody removed it by hand
	if tell(t, r.auditor, list); len(r.all(t)) != 1 || r.all(t)[0].Actor.ID != audit.Unknown {
		t.Errorf("trail %+v", r.all(t))
	}
}

func TestLagIsToldWhileNothingCanBeWritten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	users := &user.Store{DB: r.Env.DynamoDB, Table: r.Env.Table("OperationsTable")}
	if _, err := users.Create(t.Context(), "ann", by("1")); err != nil {
		t.Fatal(err)
	}
	list := r.changes(t)
	broken := r.over(r.Role.WithFaults(&storagetest.Faults{Choose: func(string) storagetest.Fault { return storagetest.Fault{Kind: storagetest.Refuse} }}))
	broken.now = func() time.Time { return taken.Add(23 * time.Hour) }
	if n := tell(t, broken, list); n != 0 {
		t.Errorf("%d changes were taken", n)
	}
	for _, want := range []string{`"lag_ms":82800000`, `"failed":1`, `"level":"ERROR"`} {
		if !strings.Contains(r.Log.String(), want) {
			t.Errorf("the log has no %s: %s", want, r.Log.String())
		}
	}
}
