package queue_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

const lease = time.Minute

// byReminders is a queue whose lists are made of reminders. byIndex is one whose
// lists an index has.
func byReminders(env *storagetest.Env) queue.Queue {
	t := table.Table{DB: env.DynamoDB, Name: env.Table("OperationsTable")}
	return queue.Queue{
		Table: t, Lease: lease, Reminders: queue.Reminders{Table: t, ID: "id", Keep: time.Hour},
		Names: queue.Names{Due: "wake", Tries: "tries", Holder: "holder"},
	}
}

func byIndex(env *storagetest.Env) queue.Queue {
	return queue.Queue{
		Table: table.Table{DB: env.DynamoDB, Name: env.Table("DeliveriesTable")}, Lease: lease, Index: "by_due",
		Names: queue.Names{Due: "due", List: "due_in", Tries: "tries", Restarts: "restarts"},
	}
}

// owner is a package that owns items of a queue.
type owner struct {
	queue.Queue
	t *testing.T
}

func item(id string) attr.Item {
	return attr.Item{"pk": attr.String("lane" + id), "sk": attr.String(id)}
}

// take takes an item. An item that is not due is not taken.
func (o owner) take(id string, now time.Time) (queue.Work, error) {
	u := table.Change(item(id)).Set("changed", attr.Int(now.UnixMilli()))
	if o.Index != "" {
		found, err := o.TakeUnread(o.t.Context(), u.If(o.DueBy(now)), now)
		if err != nil {
			return queue.Work{}, err
		}
		r := attr.Read(found)
		return queue.Work{Tries: int(r.Int("tries")), Restarts: r.Int("restarts")}, r.Err()
	}
	found, err := o.Table.Get(o.t.Context(), item(id))
	if err != nil {
		return queue.Work{}, err
	}
	r := attr.Read(found)
	w := o.Read(id, "LIST", r)
	if err := r.Err(); err != nil || !r.Has("wake") || w.Place.Due > now.UnixMilli() {
		return queue.Work{}, errors.Join(err, queue.ErrLost)
	}
	return o.Take(o.t.Context(), w, u, now)
}

// due returns the ids of the items that are due, sorted.
func (o owner) due(now time.Time) []string {
	o.t.Helper()
	var ids []string
	if o.Index != "" {
		list, err := o.Due(o.t.Context(), []string{"LIST"}, now, 100)
		if err != nil {
			o.t.Fatal(err)
		}
		for _, e := range list {
			ids = append(ids, e.Order)
		}
	} else {
		list, err := o.Reminders.Due(o.t.Context(), "LIST", now, 100)
		if err != nil {
			o.t.Fatal(err)
		}
		for _, r := range list {
			ids = append(ids, r.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// known is what the model knows of an item.
type known struct {
	due     time.Time // zero: outside the queue
	holder  int       // the worker whose writes must succeed; 0: nobody
	tries   int
	changed int64
}

// TestQueueIsThatOfAModel lets workers take, save, move and restart items in a random
// order, also with leases that are over, and compares each outcome with a model. Only
// the last holder of an item may write, and an item is due exactly when the model
// says so. In an index, the last holder may write again after a move, until somebody
// takes the item or redelivers it.
func TestQueueIsThatOfAModel(t *testing.T) {
	t.Parallel()
	for name, form := range map[string]func(*storagetest.Env) queue.Queue{"reminders": byReminders, "index": byIndex} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := owner{form(storagetest.New(t)), t}
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			draw := rand.New(rand.NewPCG(seed, 0))
			now, model := born, map[string]*known{}
			leases := map[int]queue.Work{} // of each worker that has begun something
			of := map[int]string{}
			for n := range 4 {
				id := fmt.Sprint("item", n)
				if err := o.Table.Transact(t.Context(), o.Add(item(id), id, queue.At("LIST", now), table.Absent("pk"))...); err != nil {
					t.Fatal(err)
				}
				model[id] = &known{due: now}
			}
			for step := range 150 {
				now = now.Add(time.Duration(draw.IntN(40)) * time.Second)
				if draw.IntN(2) == 0 { // a new worker takes something
					id, worker := fmt.Sprint("item", draw.IntN(4)), step+1
					k := model[id]
					w, err := o.take(id, now)
					if may := !k.due.IsZero() && !k.due.After(now); may != (err == nil) || err != nil && !errors.Is(err, queue.ErrLost) {
						t.Fatalf("step %d: take: %v; due at %v, it is %v", step, err, k.due, now)
					} else if may {
						k.due, k.holder, k.tries = now.Add(lease), worker, k.tries+1
						leases[worker], of[worker], k.changed = w, id, now.UnixMilli()
						if w.Tries != k.tries {
							t.Fatalf("step %d: try %d, want %d", step, w.Tries, k.tries)
						}
					}
				}
				if len(leases) > 0 { // a worker that has begun something writes
					all := slices.Sorted(maps.Keys(leases))
					worker := all[max(0, len(all)-1-draw.IntN(4))]
					o.writes(draw.IntN(4), step, worker, leases[worker], of[worker], model[of[worker]], now)
				}
				var want []string
				for id, k := range model {
					if !k.due.IsZero() && !k.due.After(now) {
						want = append(want, id)
					}
				}
				slices.Sort(want)
				if got := o.due(now); !slices.Equal(got, want) {
					t.Fatalf("step %d: due are %v, want %v", step, got, want)
				}
			}
		})
	}
}

// writes makes one write of a worker, and checks that it takes effect exactly if the
// worker holds the item.
func (o owner) writes(kind, step, worker int, w queue.Work, id string, k *known, now time.Time) {
	o.t.Helper()
	ctx, held := o.t.Context(), k.holder == worker
	stamp := now.UnixMilli() + int64(step+1)*1_000_000 // no two writes have the same
	u := table.Change(item(id)).Set("changed", attr.Int(stamp))
	var err error
	after := *k
	after.changed = stamp
	moved := 0 // who may write after a move
	if o.Index != "" {
		moved = worker
	}
	switch later := now.Add(30 * time.Second); {
	case kind == 0:
		err = o.Save(ctx, w, u)
	case kind == 1:
		after.due, after.holder = later, moved
		err = o.Move(ctx, w, u, queue.At("LIST", later))
	case kind == 2 && o.Index != "":
		after.due, after.holder, after.tries = later, 0, 0
		err = o.Restart(ctx, w, u, queue.At("LIST", later))
	case kind == 3 && o.Index != "": // by somebody who holds nothing
		after.due, after.holder, after.tries, held = later, 0, 0, true
		err = o.Redeliver(ctx, u.If(table.Exists("pk")), queue.At("LIST", later))
	default:
		after.due, after.holder = time.Time{}, moved
		err = o.Move(ctx, w, u, queue.Place{})
	}
	if held != (err == nil) || err != nil && !errors.Is(err, queue.ErrLost) {
		o.t.Fatalf("step %d: write %d by worker %d: %v; it holds the item: %t", step, kind, worker, err, held)
	}
	if held {
		*k = after
	}
	found, err := o.Table.Get(ctx, item(id))
	if err != nil {
		o.t.Fatal(err)
	}
	if got := attr.Read(found).Int("changed"); got != k.changed {
		o.t.Fatalf("step %d: the owner's change is %d, want %d", step, got, k.changed)
	}
}

func TestEntryThatCannotBeDecodedHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	o := owner{byIndex(storagetest.New(t)), t}
	ctx := t.Context()
	for n, due := range []table.Value{attr.Int(7), number("7.5"), attr.Int(8)} {
		found := item(fmt.Sprint("item", n))
		found["due_in"], found["due"] = attr.String("LIST"), due
		if err := o.Table.Put(ctx, found); err != nil {
			t.Fatal(err)
		}
	}
	for what, list := range map[string]func() ([]queue.Entry, error){
		"due":    func() ([]queue.Entry, error) { return o.Due(ctx, []string{"OTHER", "LIST"}, born, 10) },
		"first":  func() ([]queue.Entry, error) { return o.First(ctx, "LIST", 10) },
		"parked": func() ([]queue.Entry, error) { return o.Parked(ctx, "LIST", 10) },
	} {
		got, err := list()
		if len(got) != 2 || got[0].Order != "item0" || got[1].Order != "item2" {
			t.Errorf("%s: got %v", what, got)
		}
		if err == nil || !strings.Contains(err.Error(), "item1") {
			t.Errorf("%s: the error does not name the bad entry: %v", what, err)
		}
	}
}

// number returns a number that attr would not write.
func number(text string) table.Value { return &types.AttributeValueMemberN{Value: text} }
