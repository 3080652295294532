package kv_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/kv"
)

func TestDeleteRowByRowIsRefusedWhereItsWritesWouldTakeTooLong(t *testing.T) {
	const rows = 20
	text := func(n int) string { return `"` + strings.Repeat("x", n-2) + `"` }
	guarded := access.Set{}
	for name, c := range map[string]struct {
		value   string
		caps    *access.Set
		units   int // of all rows together, an estimate
		refused bool
	}{
		"small":                              {"1", nil, rows, false},
		"small, with one unit too few":       {"1", nil, rows - 1, true},
		"the largest in the table":           {text(kv.InlineMax), nil, 9 * rows, false},
		"the largest in the table, too many": {text(kv.InlineMax), nil, 9*rows - 1, true},
		"much to be escaped, in the table":   {`"` + strings.Repeat(`\"`, kv.InlineMax/2-1) + `"`, nil, 9*rows - 1, true},
		"in the bucket":                      {text(3 * kv.InlineMax), nil, rows, false},
		"with write capabilities":            {"1", &guarded, 2 * rows, false},
		"with write capabilities, too many":  {"1", &guarded, 2*rows - 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.Restrict(64, rows, rows, c.units)
			w := r.write(t, "k", 1, c.value)
			w.WriteCaps = c.caps
			if _, err := r.Set(t.Context(), r.caller(nil), w); err != nil {
				t.Fatal(err)
			}
			r.multiply(t, "k", rows)
			zero := 0
			done, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: "k"}, &zero)
			if !c.refused {
				if err != nil || !done {
					t.Fatalf("got %v, %v", done, err)
				}
				r.missing(t, "k", rows)
				return
			}
			wantTooMany(t, "delete", err, rows, "by their idx")
			r.get(t, "k", 1)
		})
	}
}

func TestDeleteOfAKeyWithTooManyTracesSaysHowToEndThem(t *testing.T) {
	r := newRig(t)
	const rows = 20
	r.set(t, "k", 1, "1", true)
	r.multiply(t, "k", rows)
	zero := 0
	calls := &storagetest.Faults{}
	counted := r.failing(calls)
	counted.Restrict(0, rows, rows, rows) // if the tombstones do not fit into one read, they are too many
	if done, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: "k"}, &zero); err != nil || !done {
		t.Fatalf("rows one by one: %v, %v", done, err)
	}
	done, err := counted.Delete(t.Context(), r.caller(nil), kv.Target{Key: "k"}, nil)
	if done {
		t.Error("a key without rows had one")
	}
	wantTooMany(t, "delete of the key", err, 8, "write a record of the key")
	if n := calls.Calls("Query"); n != 1 {
		t.Errorf("the refusal took %d reads, want 1", n)
	}
	r.set(t, "k", -1, "1", true)
	if done, err := counted.Delete(t.Context(), r.caller(nil), kv.Target{Key: "k"}, nil); err != nil || !done {
		t.Errorf("with a record: %v, %v", done, err)
	}
	if done, err := counted.Delete(t.Context(), r.caller(nil), kv.Target{Key: "k"}, nil); err != nil || done {
		t.Errorf("without its traces: %v, %v", done, err)
	}
}

func TestDeleteThatLosesIsNotTriedAgainOnceItHasReadMuch(t *testing.T) {
	r := newRig(t)
	r.emptied(t, "k")
	var faults storagetest.Faults
	// Before the second reading, a row is written and deleted.
	faults.Add(storagetest.Fault{Operation: "Query", Nth: 2, Before: func() { r.emptied(t, "k") }})
	busy := r.failing(&faults)
	busy.Restrict(0, 1, 1, 1) // less than what has to be read
	_, err := busy.Delete(t.Context(), r.caller(nil), kv.Target{Key: "k"}, nil)
	var f *fault.Error
	if n := faults.Calls("Query"); !errors.As(err, &f) || f.ID != "CONTENDED" || n != 2 {
		t.Errorf("got %v after %d queries, want CONTENDED after two", err, n)
	}
}

func TestWhatIsLeftOfARemovedRowNamesItsKeyNoMoreAndTheTrailDoes(t *testing.T) {
	r := newRig(t)
	key := strings.Repeat("k", kv.MaxKeyBytes)
	changes := &storagetest.Changes{Table: r.env.Table("KvTable"), At: time.Now()}
	r.set(t, key, 1, "1", true)
	told := r.trail(t, changes)
	one := 1
	if done, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: key, Idx: &one}, nil); err != nil || !done {
		t.Fatalf("delete answers %v, %v", done, err)
	}
	told = append(told, r.trail(t, changes)...)
	left := r.item(t, kv.Stored(r.ns)+":"+r.generation(t, key), rowSort(1))
	if left == nil || left["kn"] != nil {
		t.Errorf("left of the row: %v, want an item without its key", left)
	}
	r.set(t, key, 1, "2", true) // on top of the removed row
	told = append(told, r.trail(t, changes)...)
	var got []string
	for _, record := range told {
		if record.Subject != key || record.Idx == nil || *record.Idx != 1 {
			t.Errorf("the trail has %s of %.20q, idx %v; want idx 1 of the key", record.Action, record.Subject, record.Idx)
		}
		got = append(got, record.Action)
	}
	if strings.Join(got, " ") != "key.write key.remove key.write" {
		t.Errorf("the trail has %v", got)
	}
}
