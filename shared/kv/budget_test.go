package kv_test

import (
	"encoding/binary"
	"errors"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/kv"
)

// multiply copies the row at idx 1 of a key to every idx up to n. Writing the rows
// one by one would take too long.
func (r *rig) multiply(t *testing.T, key string, n int) {
	t.Helper()
	pk := kv.Stored(r.ns)
	pk += ":" + stringOf(r.item(t, pk, append([]byte{'k'}, key...))["gn"])
	row := r.item(t, pk, []byte{0x80, 1})
	table := r.env.Table("KvTable")
	var group errgroup.Group
	group.SetLimit(4)
	for first := 2; first <= n; first += 25 {
		group.Go(func() error {
			var puts []types.WriteRequest
			for idx := first; idx <= min(n, first+24); idx++ {
				item := maps.Clone(row)
				item["sk"] = &types.AttributeValueMemberB{Value: binary.BigEndian.AppendUint16(nil, uint16(idx-kv.MinIdx))}
				puts = append(puts, types.WriteRequest{PutRequest: &types.PutRequest{Item: item}})
			}
			out, err := r.env.DynamoDB.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: puts}})
			if err == nil && len(out.UnprocessedItems) > 0 {
				err = errors.New("rows were not written")
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// wantTooMany requires a refusal that names at least this number of records and
// says what to do.
func wantTooMany(t *testing.T, what string, err error, number int, says string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Invalid || f.ID != "TOO_MANY_RECORDS" || !strings.Contains(f.Detail, says) {
		t.Errorf("%s: got %v, want TOO_MANY_RECORDS saying %q", what, err, says)
		return
	}
	named := regexp.MustCompile(`(\d+) records`).FindStringSubmatch(f.Detail)
	if named == nil {
		t.Errorf("%s: %q names no number of records", what, f.Detail)
	} else if n, err := strconv.Atoi(named[1]); err != nil || n < number {
		t.Errorf("%s: %q names %s records, want at least %d", what, f.Detail, named[1], number)
	}
}

func TestKeyWithMoreRowsThanARequestReadsIsWalkedPastAndRefusedAsAWhole(t *testing.T) {
	r := newRig(t)
	const key, rows, fits = "p/1", 320, 230 // rows of 8.5 KB; fits is how many of them fit into 2 MiB
	const commitRows, removals = 321, 200
	r.Restrict(2, commitRows, removals, kv.MaxRemovalUnits)
	r.set(t, key, 1, `"`+strings.Repeat("x", kv.InlineMax-2)+`"`, false)
	r.multiply(t, key, rows)
	r.set(t, "p/2", 0, "2", true)

	calls := &storagetest.Faults{}
	counted := r.failing(calls)
	counted.Restrict(2, commitRows, removals, kv.MaxRemovalUnits)
	var found []kv.Record
	pages := 0
	for walk := (kv.Range{Key: "p/", Inclusive: true, Prefix: true, Limit: 30}); ; pages++ {
		before := calls.Calls("Query")
		records, next, err := counted.Iterate(t.Context(), r.caller(nil), walk)
		if err != nil {
			t.Fatal(err)
		}
		if n := calls.Calls("Query") - before; n > 5 {
			t.Errorf("page %d took %d reads, want at most 5", pages, n)
		}
		if found = append(found, records...); next == nil {
			break
		}
		if next.Key != key || next.Idx < fits {
			t.Fatalf("page %d ends at %+v, want a place in %q behind %d rows", pages, next, key, fits)
		}
		walk.After = next
	}
	if pages != 1 || len(found) != 1 || found[0].Key != "p/2" {
		t.Errorf("behind the drafts: %d records after %d links, want that of p/2 after one", len(found), pages)
	}

	before := calls.Calls("Query")
	_, _, err := counted.Count(t.Context(), r.caller(nil), key, false)
	wantTooMany(t, "count", err, fits, "iterate")
	if n := calls.Calls("Query") - before; n > 3 {
		t.Errorf("the refusal took %d reads, want 2 or 3", n)
	}
	_, err = r.Size(t.Context(), r.caller(nil), kv.Target{Key: key}, true)
	wantTooMany(t, "size", err, fits, "iterate")
	_, err = r.Commit(t.Context(), r.caller(nil), []kv.Target{{Key: key}, {Key: "p/2"}})
	wantTooMany(t, "commit of the key", err, fits, "by their idx")
	zero := 0
	_, err = r.Delete(t.Context(), r.caller(nil), kv.Target{Key: key}, &zero)
	wantTooMany(t, "delete row by row", err, removals, "by their idx")
	r.missing(t, key, 1)

	named := make([]kv.Target, commitRows+1)
	for i := range named {
		idx := i + 1
		named[i] = kv.Target{Key: key, Idx: &idx}
	}
	_, err = r.Commit(t.Context(), r.caller(nil), named)
	wantTooMany(t, "commit of rows", err, commitRows+1, "several requests")
	r.missing(t, key, 1)
	done, err := r.Commit(t.Context(), r.caller(nil), named[:commitRows])
	if err != nil || len(done) != rows {
		t.Errorf("commit of all rows by idx: %d rows, %v; want %d", len(done), err, rows)
	}
	if got := r.get(t, key, rows); !got.Committed {
		t.Errorf("row %d is %+v after its commit", rows, got)
	}
	if removed, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: key}, nil); err != nil || !removed {
		t.Errorf("delete of the key: %v, %v", removed, err)
	}
	if _, _, err := r.Count(t.Context(), r.caller(nil), key, true); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("count after the delete: %v", err)
	}
}

func TestCommitThatLosesIsNotTriedAgainOnceItHasReadMuch(t *testing.T) {
	r := newRig(t)
	for _, key := range []string{"a", "b"} {
		r.set(t, key, 1, "1", false)
	}
	var faults storagetest.Faults
	faults.Add(storagetest.Fault{Operation: "TransactWriteItems", Kind: storagetest.Conflict})
	busy := r.failing(&faults)
	busy.Restrict(0, 2, 2, 2) // less than what has to be read
	_, err := busy.Commit(t.Context(), r.caller(nil), []kv.Target{{Key: "a"}, {Key: "b"}})
	var f *fault.Error
	if n := faults.Calls("Query"); !errors.As(err, &f) || f.ID != "CONTENDED" || n != 2 {
		t.Errorf("got %v after %d queries, want CONTENDED after one of each key", err, n)
	}
}
