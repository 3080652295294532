package kv_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/kvitem"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// writers are the ways to write a row other than idx 0, each with the storage
// operation that writes the row.
var writers = map[string]struct {
	request string
	write   func(*testing.T, *rig, change.Author) error
}{
	"set": {"UpdateItem", func(t *testing.T, r *rig, a change.Author) error {
		_, err := r.Set(t.Context(), kv.Caller{Installation: r.ns, Author: a}, r.write(t, "k", 7, `"late"`))
		return err
	}},
	"insert": {"UpdateItem", func(t *testing.T, r *rig, a change.Author) error {
		_, err := r.CompareAndSet(t.Context(), kv.Caller{Installation: r.ns, Author: a}, r.write(t, "k", 7, `"late"`), nil)
		return err
	}},
	"file": {"TransactWriteItems", func(t *testing.T, r *rig, a change.Author) error {
		_, err := r.PutFile(t.Context(), kv.Caller{Installation: r.ns, Author: a}, r.write(t, "k", 7, `"late"`), kv.File{Object: kv.NewObjectID(), ETag: "x"}, kv.Condition{}, r.once(a.Request))
		return err
	}},
}

// once returns a change in the same transaction as a row. It can be made only once.
func (r *rig) once(name string) kv.Beside {
	t := table.Table{DB: r.env.DynamoDB, Name: r.env.Table("KvTable")}
	return func(kv.Record, string) []table.Write {
		return []table.Write{t.WritePut(tableKey("BESIDE", []byte(name)), table.Absent("pk"))}
	}
}

func TestAcknowledgedWriteBesideADeleteThatFoundNothingIsThere(t *testing.T) {
	for name, w := range writers {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.emptied(t, "k")
			var faults storagetest.Faults
			faults.Add(storagetest.Fault{Operation: w.request, Nth: 1, Kind: storagetest.Pass, Before: func() {
				done, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: "k"}, nil)
				if err != nil || done {
					t.Errorf("delete answers %v, %v; want that there was nothing", done, err)
				}
			}})
			if err := w.write(t, r.failing(&faults), r.author()); err != nil {
				t.Fatal(err)
			}
			if got := r.get(t, "k", 7); string(got.Data) != `"late"` {
				t.Errorf("the row holds %s", got.Data)
			}
		})
	}
}

func TestDeleteTakesARowThatAppearsWhileItLooks(t *testing.T) {
	for name, request := range map[string]storagetest.Fault{
		"before its first reading":  {Operation: "Query", Nth: 1},
		"before its second reading": {Operation: "Query", Nth: 2},
		"before it is sure":         {Operation: "GetItem", Nth: 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.emptied(t, "k")
			request.Before = func() { r.set(t, "k", 7, `"new"`, true) }
			var faults storagetest.Faults
			faults.Add(request)
			done, err := r.failing(&faults).Delete(t.Context(), r.caller(nil), kv.Target{Key: "k"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, getErr := r.Get(t.Context(), r.caller(nil), kv.Position{Key: "k", Idx: 7}, false, false)
			if gone := getErr != nil; gone != done {
				t.Errorf("the delete answers %v, and the row is gone: %v", done, gone)
			}
		})
	}
}

func TestWriteThatADeleteOvertakesIsToldAsDiscarded(t *testing.T) {
	for name, w := range writers {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.set(t, "k", 1, "1", true)
			changes := &storagetest.Changes{Table: r.env.Table("KvTable"), At: time.Now()}
			r.trail(t, changes)
			deleter, writer := r.author(), r.author()
			var told []audit.Record
			var faults storagetest.Faults
			faults.Add(storagetest.Fault{Operation: w.request, Nth: 1, Kind: storagetest.Pass, Before: func() {
				if done, err := r.Delete(t.Context(), kv.Caller{Installation: r.ns, Author: deleter}, kv.Target{Key: "k"}, nil); err != nil || !done {
					t.Errorf("delete answers %v, %v", done, err)
				}
				told = append(told, r.trail(t, changes)...)
				// The fault is set here, after the reads that come before the
				// write.
				faults.Add(storagetest.Fault{Operation: "GetItem", Nth: 1, Kind: storagetest.Pass, Before: func() {
					told = append(told, r.trail(t, changes)...)
				}})
			}})
			if err := w.write(t, r.failing(&faults), writer); err != nil {
				t.Fatal(err)
			}
			told = append(told, r.trail(t, changes)...)
			r.missing(t, "k", 7)
			want := []audit.Record{
				{Action: "key.remove", Actor: audit.Actor{ID: "user", Request: deleter.Request}},
				{Action: "key.write", Actor: audit.Actor{ID: "user", Request: writer.Request}, Idx: row(7)},
				{Action: kvitem.DiscardWrite, Actor: audit.Actor{ID: change.Server, Request: writer.Request}, Idx: row(7)},
			}
			if len(told) != len(want) {
				t.Fatalf("the trail has %d records, want %d: %+v", len(told), len(want), told)
			}
			for i, got := range told {
				if got.Action != want[i].Action || got.Actor != want[i].Actor || (got.Idx == nil) != (want[i].Idx == nil) {
					t.Errorf("record %d is %+v, want %+v", i, got, want[i])
				}
			}
		})
	}
}

func TestEveryWriteThatADeleteOvertakesIsToldAsDiscarded(t *testing.T) {
	for name, w := range writers {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.set(t, "k", 1, "1", true)
			changes := &storagetest.Changes{Table: r.env.Table("KvTable"), At: time.Now()}
			r.trail(t, changes)
			first := r.author()
			var faults storagetest.Faults
			faults.Add(storagetest.Fault{Operation: w.request, Nth: 1, Kind: storagetest.Pass, Before: func() {
				// The fault is set here, after the reads that come before the
				// write.
				faults.Add(storagetest.Fault{Operation: "GetItem", Nth: 1, Kind: storagetest.Pass, Before: func() {
					r.set(t, "k", 7, `"over it"`, true)
					if done, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: "k"}, nil); err != nil || !done {
						t.Errorf("delete answers %v, %v", done, err)
					}
					r.set(t, "k", 7, `"anew"`, true)
				}})
			}})
			if err := w.write(t, r.failing(&faults), first); err != nil {
				t.Fatal(err)
			}
			var discarded []string
			for _, one := range r.trail(t, changes) {
				if one.Action == kvitem.DiscardWrite {
					discarded = append(discarded, one.Actor.Request)
				}
			}
			if !slices.Equal(discarded, []string{first.Request}) {
				t.Errorf("discarded are the writes of %q, want %q", discarded, first.Request)
			}
			if got := r.get(t, "k", 7); string(got.Data) != `"anew"` {
				t.Errorf("the row holds %s", got.Data)
			}
		})
	}
}

// recorded makes records of the changes of the store, as the auditor does.
var recorded = audit.Source{Table: audit.KV, Owners: kvitem.Owners()}

// trail returns the records of the audit trail since the last call.
func (r *rig) trail(t *testing.T, changes *storagetest.Changes) (list []audit.Record) {
	t.Helper()
	some, err := changes.Since(t.Context(), r.env.DynamoDB)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range some {
		if one, ok := recorded.Record(c); ok {
			list = append(list, one)
		}
	}
	return list
}

// TestWriteThatCannotSeeWhatBecameOfItIsNotAcknowledged makes the requests fail
// that a writer makes after its row is written.
func TestWriteThatCannotSeeWhatBecameOfItIsNotAcknowledged(t *testing.T) {
	kinds := map[string]storagetest.Kind{
		"throttled": storagetest.Throttle, "server error": storagetest.ServerError, "answer lost": storagetest.LoseAnswer,
		"request lost": storagetest.LoseRequest, "late": storagetest.Late, "connection refused": storagetest.Refuse, "twice": storagetest.Duplicate,
	}
	for name, w := range writers {
		for kindName, kind := range kinds {
			for _, request := range []string{"GetItem", "UpdateItem"} {
				for often, nth := range map[string]int{"once": 1, "always": 0} {
					t.Run(name+"/"+kindName+" at "+request+" "+often, func(t *testing.T) {
						r := newRig(t)
						r.set(t, "k", 1, "1", true)
						old := r.generation(t, "k")
						var faults storagetest.Faults
						faults.Add(storagetest.Fault{Operation: w.request, Nth: 1, Kind: storagetest.Pass, Before: func() {
							if _, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: "k"}, nil); err != nil {
								t.Error(err)
							}
							faults.Add(storagetest.Fault{Operation: request, Nth: nth, Kind: kind})
						}})
						a := r.author()
						err := w.write(t, r.failing(&faults), a)
						if err != nil && !errors.Is(err, unknown) {
							t.Fatalf("got %v, want success or OUTCOME_UNKNOWN", err)
						}
						marked := stringOf(r.item(t, "github:1:"+old, rowSort(7))["wk"]) == a.Request
						if err == nil && !marked {
							t.Error("the write is acknowledged, and the trail does not tell that its row is gone")
						}
						if err != nil && often == "once" && kind != storagetest.Throttle {
							t.Errorf("one failure that passes ends in %v", err)
						}
					})
				}
			}
		}
	}
}

func TestLateReplacementOfADeleteIsNeverAnsweredAsNothing(t *testing.T) {
	seven := 7
	for name, c := range map[string]struct {
		meanwhile func(*testing.T, *rig, *storagetest.Faults)
		done      bool
		err       error
		left      bool // whether row 8, written meanwhile, is left
	}{
		"the row goes, and the request is still on its way": {func(t *testing.T, r *rig, _ *storagetest.Faults) {
			if _, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: "k", Idx: &seven}, nil); err != nil {
				t.Error(err)
			}
		}, false, unknown, false},
		"the request arrives, and another row is written": {func(t *testing.T, r *rig, f *storagetest.Faults) {
			if err := f.Deliver(); err != nil {
				t.Error(err)
			}
			r.set(t, "k", 8, "8", true)
		}, true, nil, true},
		"the request arrives, and a commit follows": {func(t *testing.T, r *rig, f *storagetest.Faults) {
			if err := f.Deliver(); err != nil {
				t.Error(err)
			}
			r.set(t, "k", 8, "8", false)
			if _, err := r.Commit(t.Context(), r.caller(nil), []kv.Target{{Key: "k"}}); err != nil {
				t.Error(err)
			}
		}, false, unknown, true},
		"nothing happens": {func(*testing.T, *rig, *storagetest.Faults) {}, true, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.set(t, "k", 7, "7", true)
			var faults storagetest.Faults
			faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 1, Kind: storagetest.Late})
			// The three reads are the head, the row after the update, and the head
			// again.
			faults.Add(storagetest.Fault{Operation: "GetItem", Nth: 3, Kind: storagetest.Pass, Before: func() { c.meanwhile(t, r, &faults) }})
			done, err := r.failing(&faults).Delete(t.Context(), r.caller(nil), kv.Target{Key: "k"}, nil)
			if done != c.done || !errors.Is(err, c.err) {
				t.Errorf("got %v, %v; want %v, %v", done, err, c.done, c.err)
			}
			if err := faults.Deliver(); err != nil {
				t.Fatal(err)
			}
			_, getErr := r.Get(t.Context(), r.caller(nil), kv.Position{Key: "k", Idx: 8}, false, false)
			if (getErr == nil) != c.left {
				t.Errorf("row 8: %v, want it there: %v", getErr, c.left)
			}
			r.missing(t, "k", 7)
		})
	}
}

// TestFileWhoseRowMayBeWrittenSaysSoWhenTheTimeIsOver loses all responses to the
// transaction of a row, and ends the context before the store finds out what
// happened.
func TestFileWhoseRowMayBeWrittenSaysSoWhenTheTimeIsOver(t *testing.T) {
	for name, inReads := range map[string]bool{"in the reads of the next try": true, "in the next transaction": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			ctx, end := context.WithCancel(t.Context())
			sent := 0 // transactions
			faults := storagetest.Faults{Choose: func(operation string) storagetest.Fault {
				transaction := operation == "TransactWriteItems"
				if transaction {
					sent++
				}
				switch {
				case sent > table.MaxAttempts, inReads && sent == table.MaxAttempts && !transaction:
					return storagetest.Fault{Kind: storagetest.LoseRequest, Before: end}
				case transaction:
					return storagetest.Fault{Kind: storagetest.LoseAnswer}
				}
				return storagetest.Fault{}
			}}
			by := kv.Caller{Installation: r.ns, Author: r.author()}
			_, err := r.failing(&faults).PutFile(ctx, by, r.write(t, "k", 7, `"file"`), kv.File{Object: kv.NewObjectID(), ETag: "x"}, kv.Condition{}, r.once(by.Author.Request))
			var got *fault.Error
			if !errors.As(err, &got) || got.ID != unknown.ID {
				t.Errorf("got %v, want %s", err, unknown.ID)
			}
		})
	}
}
