package kv_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/kv"
)

// operations are the writes of the store. Each runs on a key with drafts at idx 0
// and 1 and a committed row at idx 2. They also hold what must be true after the
// write was applied exactly once.
var operations = map[string]struct {
	calls string // operations of the storage; the faults hit them one after another
	// guesses says that the first update is not conditional on one exact revision.
	guesses bool
	do      func(*testing.T, *rig) error
	check   func(*testing.T, *rig)
}{
	"set of idx 0": {
		"UpdateItem", true,
		func(t *testing.T, r *rig) error {
			_, err := r.Set(t.Context(), r.caller(nil), r.write(t, "k", 0, `"new"`))
			return err
		},
		func(t *testing.T, r *rig) { r.wantRow(t, "k", 0, 1, `"new"`) },
	},
	"set of another idx": {
		"GetItem UpdateItem", true,
		func(t *testing.T, r *rig) error {
			_, err := r.Set(t.Context(), r.caller(nil), r.write(t, "k", 2, `"new"`))
			return err
		},
		func(t *testing.T, r *rig) { r.wantRow(t, "k", 2, 1, `"new"`) },
	},
	"insert of a new key": {
		"GetItem UpdateItem", false,
		func(t *testing.T, r *rig) error {
			_, err := r.CompareAndSet(t.Context(), r.caller(nil), r.write(t, "fresh", 7, `"new"`), nil)
			return err
		},
		func(t *testing.T, r *rig) { r.wantRow(t, "fresh", 7, 0, `"new"`) },
	},
	"cas of idx 0": {
		"UpdateItem", true,
		func(t *testing.T, r *rig) error {
			version := 0
			_, err := r.CompareAndSet(t.Context(), r.caller(nil), r.write(t, "k", 0, `"new"`), &version)
			return err
		},
		func(t *testing.T, r *rig) { r.wantRow(t, "k", 0, 1, `"new"`) },
	},
	"delete of one row": {
		"GetItem UpdateItem", true,
		func(t *testing.T, r *rig) error {
			idx := 2
			done, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: "k", Idx: &idx}, nil)
			return wantTrue(done, err)
		},
		func(t *testing.T, r *rig) { r.missing(t, "k", 2) },
	},
	"delete of the key": {
		"GetItem PutItem UpdateItem", false,
		func(t *testing.T, r *rig) error {
			done, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: "k"}, nil)
			return wantTrue(done, err)
		},
		func(t *testing.T, r *rig) { r.missing(t, "k", 2) },
	},
	"set of a large value": {
		"s3:PUT GetItem UpdateItem", true,
		func(t *testing.T, r *rig) error {
			_, err := r.Set(t.Context(), r.caller(nil), r.write(t, "k", 2, large))
			return err
		},
		func(t *testing.T, r *rig) { r.wantRow(t, "k", 2, 1, large) },
	},
	"commit of one key": {
		"GetItem Query UpdateItem", false,
		func(t *testing.T, r *rig) error { return r.commitAll(t, "k") },
		func(t *testing.T, r *rig) { r.wantRow(t, "k", 0, 0, "1"); r.wantRow(t, "k", 1, 0, "1") },
	},
	"commit of two keys": {
		"GetItem Query TransactWriteItems", false,
		func(t *testing.T, r *rig) error { return r.commitAll(t, "k", "l") },
		func(t *testing.T, r *rig) { r.wantRow(t, "k", 1, 0, "1"); r.wantRow(t, "l", 0, 0, "1") },
	},
}

var large = `"` + strings.Repeat("x", 2*kv.InlineMax) + `"`

var unknown = &fault.Error{Kind: fault.Busy, ID: "OUTCOME_UNKNOWN"}

func wantTrue(done bool, err error) error {
	if err == nil && !done {
		return errors.New("answers that nothing was removed")
	}
	return err
}

func (r *rig) commitAll(t *testing.T, keys ...string) error {
	var targets []kv.Target
	want := 0
	for _, k := range keys {
		targets = append(targets, kv.Target{Key: k})
		want += map[string]int{"k": 2, "l": 1}[k]
	}
	got, err := r.Commit(t.Context(), r.caller(nil), targets)
	if err == nil && len(got) != want {
		return fmt.Errorf("commit answers %v, want %d rows", got, want)
	}
	return err
}

func (r *rig) wantRow(t *testing.T, key string, idx, version int, value string) {
	t.Helper()
	if got := r.get(t, key, idx); got.Version != version || string(got.Data) != value {
		t.Errorf("%q %d is version %d of %s, want version %d of %s", key, idx, got.Version, got.Data, version, value)
	}
}

func (r *rig) fill(t *testing.T) {
	t.Helper()
	// The rows were written by requests that ended long ago. So after a lost
	// response, the store can exclude a write by somebody else.
	for _, w := range []kv.Write{
		{Key: "k", Idx: 0}, {Key: "k", Idx: 1}, {Key: "l", Idx: 0}, {Key: "k", Idx: 2, Committed: true},
	} {
		w.Value = parse(t, "1")
		a := r.author()
		a.At = a.At.Add(-longAgo)
		if _, err := r.Set(t.Context(), kv.Caller{Installation: r.ns, Author: a}, w); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEveryWriteAppliesOnceUnderEveryPassingFault(t *testing.T) {
	kinds := map[string]storagetest.Kind{
		"throttled": storagetest.Throttle, "server error": storagetest.ServerError, "answer lost": storagetest.LoseAnswer,
		"request lost": storagetest.LoseRequest, "connection refused": storagetest.Refuse, "transaction conflict": storagetest.Conflict,
	}
	for name, op := range operations {
		for kindName, kind := range kinds {
			for _, call := range strings.Fields(op.calls) {
				if kind == storagetest.Conflict && call != "TransactWriteItems" && call != "UpdateItem" {
					continue
				}
				t.Run(name+"/"+kindName+" at "+call, func(t *testing.T) {
					r := newRig(t)
					r.fill(t)
					var faults storagetest.Faults
					faults.Add(storagetest.Fault{Operation: call, Nth: 1, Kind: kind})
					err := op.do(t, r.failing(&faults))
					if op.guesses && kind == storagetest.LoseRequest && call == "UpdateItem" {
						// The request may still arrive, and a guess could hold
						// again after another writer's write. So the caller has to
						// decide.
						if !errors.Is(err, unknown) {
							t.Fatalf("got %v, want OUTCOME_UNKNOWN", err)
						}
						err = op.do(t, r)
					}
					if err != nil {
						t.Fatalf("got %v, want success", err)
					}
					if faults.Calls(call) == 0 {
						t.Errorf("%s was never called, so nothing was tested", call)
					}
					op.check(t, r)
				})
			}
		}
	}
}

func TestWriteWhoseFateCannotBeKnownSaysSoAndIsNotRepeated(t *testing.T) {
	for _, idx := range []int{0, 2} {
		t.Run(fmt.Sprint("idx ", idx), func(t *testing.T) {
			r := newRig(t)
			r.fill(t)
			var faults storagetest.Faults
			faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 1, Kind: storagetest.LoseAnswer})
			// Another writer writes before the request with the lost response reads
			// the row.
			faults.Add(storagetest.Fault{Operation: "GetItem", Nth: 1 + min(idx, 1), Kind: storagetest.Pass, Before: func() {
				r.set(t, "k", idx, `"other"`, true)
			}})
			_, err := r.failing(&faults).Set(t.Context(), r.caller(nil), r.write(t, "k", idx, `"mine"`))
			if !errors.Is(err, unknown) {
				t.Fatalf("got %v, want OUTCOME_UNKNOWN", err)
			}
			r.wantRow(t, "k", idx, 2, `"other"`)
		})
	}
}

func TestCommitStartsAgainWhenAnotherCommitComesBetween(t *testing.T) {
	r := newRig(t)
	r.fill(t)
	var faults storagetest.Faults
	faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 1, Kind: storagetest.Pass, Before: func() {
		one := 1
		if _, err := r.Commit(t.Context(), r.caller(nil), []kv.Target{{Key: "k", Idx: &one}}); err != nil {
			t.Error(err)
		}
	}})
	got, err := r.failing(&faults).Commit(t.Context(), r.caller(nil), []kv.Target{{Key: "k"}})
	if err != nil || len(got) != 1 || got[0].Idx != 0 {
		t.Fatalf("got %v, %v; want idx 0 alone, idx 1 was another's", got, err)
	}
	r.get(t, "k", 1)
}

func TestCommitThatArrivesLateIsAnsweredWithItsRows(t *testing.T) {
	for name, other := range map[string]func(*testing.T, *rig){
		"alone": func(*testing.T, *rig) {},
		"a draft is written before the second try": func(t *testing.T, r *rig) { r.set(t, "k", 7, `"draft"`, false) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.fill(t)
			var faults storagetest.Faults
			arrive := func() {
				if err := faults.Deliver(); err != nil {
					t.Error(err)
				}
				other(t, r)
			}
			faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 1, Kind: storagetest.Late})
			// The late request arrives before the first request of the second try,
			// which may be an update or a read.
			faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 2, Before: arrive})
			faults.Add(storagetest.Fault{Operation: "GetItem", Nth: 3, Before: arrive})
			got, err := r.failing(&faults).Commit(t.Context(), r.caller(nil), []kv.Target{{Key: "k"}})
			if err != nil || !slices.Contains(got, kv.Position{Key: "k", Idx: 0}) || !slices.Contains(got, kv.Position{Key: "k", Idx: 1}) {
				t.Fatalf("got %v, %v; want both drafts", got, err)
			}
			r.get(t, "k", 1)
		})
	}
}

func TestRowRewrittenBetweenChoiceAndPublicationStaysADraft(t *testing.T) {
	for _, idx := range []int{0, 1} {
		t.Run(fmt.Sprint("idx ", idx), func(t *testing.T) {
			r := newRig(t)
			r.fill(t)
			var faults storagetest.Faults
			faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 1, Kind: storagetest.Pass, Before: func() {
				r.set(t, "k", 1, `"newer"`, false)
			}})
			if _, err := r.failing(&faults).Commit(t.Context(), r.caller(nil), []kv.Target{{Key: "k"}}); err != nil {
				t.Fatal(err)
			}
			r.missing(t, "k", 1)
			r.get(t, "k", 0)
		})
	}
}

func TestWriterThatReadTheHeadBeforeADeleteIsOrderedBeforeIt(t *testing.T) {
	r := newRig(t)
	r.fill(t)
	var faults storagetest.Faults
	faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 1, Kind: storagetest.Pass, Before: func() {
		if _, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: "k"}, nil); err != nil {
			t.Error(err)
		}
	}})
	if _, err := r.failing(&faults).Set(t.Context(), r.caller(nil), r.write(t, "k", 2, `"late"`)); err != nil {
		t.Fatal(err)
	}
	r.missing(t, "k", 2)
	if rec := r.set(t, "k", 2, `"again"`, true); rec.Version != 0 {
		t.Errorf("version %d after the delete, want 0", rec.Version)
	}
}

func TestDeleteSeesAGuardThatAppearsUnderIt(t *testing.T) {
	r := newRig(t)
	r.fill(t)
	system := systemWrite
	var faults storagetest.Faults
	faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 1, Kind: storagetest.Pass, Before: func() {
		w := r.write(t, "k", 9, `"guarded"`)
		w.WriteCaps = &system
		if _, err := r.Set(t.Context(), r.caller(nil), w); err != nil {
			t.Error(err)
		}
	}})
	if _, err := r.failing(&faults).Delete(t.Context(), r.caller(nil), kv.Target{Key: "k"}, nil); err != nil {
		t.Fatal(err)
	}
	r.get(t, "k", 9)
	r.missing(t, "k", 2)
}

func TestCallsPerOperation(t *testing.T) {
	small := 0
	zero, other := 0, 2
	for _, c := range []struct {
		name string
		want string
		do   func(*testing.T, *rig) error
	}{
		{"get of idx 0", "GetItem", func(t *testing.T, r *rig) error {
			_, err := r.Get(t.Context(), r.caller(nil), kv.Position{Key: "k", Idx: 0}, true, true)
			return err
		}},
		{"get of another idx", "GetItem GetItem", func(t *testing.T, r *rig) error {
			_, err := r.Get(t.Context(), r.caller(nil), kv.Position{Key: "k", Idx: other}, true, true)
			return err
		}},
		{"set of idx 0", "UpdateItem", func(t *testing.T, r *rig) error {
			_, err := r.Set(t.Context(), r.caller(nil), r.write(t, "k", 0, "2"))
			return err
		}},
		{"set of another idx", "GetItem UpdateItem GetItem", func(t *testing.T, r *rig) error {
			_, err := r.Set(t.Context(), r.caller(nil), r.write(t, "k", other, "2"))
			return err
		}},
		{"insert of a key", "UpdateItem", func(t *testing.T, r *rig) error {
			_, err := r.CompareAndSet(t.Context(), r.caller(nil), r.write(t, "new", 0, "2"), nil)
			return err
		}},
		{"first row of another idx", "GetItem UpdateItem UpdateItem GetItem", func(t *testing.T, r *rig) error {
			_, err := r.CompareAndSet(t.Context(), r.caller(nil), r.write(t, "new", 1, "2"), nil)
			return err
		}},
		{"cas", "UpdateItem", func(t *testing.T, r *rig) error {
			_, err := r.CompareAndSet(t.Context(), r.caller(nil), r.write(t, "k", 0, "2"), &small)
			return err
		}},
		{"delete of idx 0", "UpdateItem UpdateItem", func(t *testing.T, r *rig) error {
			_, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: "k", Idx: &zero}, nil)
			return err
		}},
		{"delete of a key with one row", "GetItem UpdateItem", func(t *testing.T, r *rig) error {
			_, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: "l"}, nil)
			return err
		}},
		{"delete of a key with rows", "GetItem PutItem UpdateItem", func(t *testing.T, r *rig) error {
			_, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: "k"}, nil)
			return err
		}},
		{"delete of a key that was emptied row by row", "GetItem Query Query GetItem", func(t *testing.T, r *rig) error {
			done, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: "emptied"}, nil)
			if done {
				return errors.New("answers that something was removed")
			}
			return err
		}},
		{"commit of one key", "GetItem Query UpdateItem", func(t *testing.T, r *rig) error { return r.commitAll(t, "k") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.fill(t)
			r.emptied(t, "emptied")
			var calls storagetest.Faults
			if err := c.do(t, r.failing(&calls)); err != nil {
				t.Fatal(err)
			}
			want := map[string]int{}
			total := 0
			for _, op := range strings.Fields(c.want) {
				want[op]++
				total++
			}
			if got := calls.Calls(""); got != total {
				t.Errorf("%d calls, want %s", got, c.want)
			}
			for op, n := range want {
				if got := calls.Calls(op); got != n {
					t.Errorf("%d calls of %s, want %d", got, op, n)
				}
			}
		})
	}
}
