package table_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/testclock"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

func TestBatchReadsTheItemsThatExist(t *testing.T) {
	t.Parallel()
	var f storagetest.Faults
	tab := filled(t, &f, 3)
	f.Add(storagetest.Fault{Operation: "BatchGetItem", Nth: 1, Kind: storagetest.Throttle})
	for _, eventual := range []bool{false, true} {
		items, err := tab.BatchGet(t.Context(), table.Batch{Keys: []table.Item{key("0"), key("2"), key("9")}, Eventual: eventual})
		if err != nil || len(items) != 2 {
			t.Errorf("eventual %t: got %v, %v", eventual, items, err)
		}
	}
	if n := f.Calls("BatchGetItem"); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

func TestBatchDeleteRemovesTheNamedItems(t *testing.T) {
	t.Parallel()
	tab := filled(t, nil, 3)
	var used float64
	remove := []table.Item{key("0"), key("2"), key("9")}
	err := tab.BatchDelete(t.Context(), remove, func(units float64) error { used += units; return nil })
	if err != nil || used <= 0 {
		t.Errorf("got %v units, %v", used, err)
	}
	left, err := tab.All(t.Context(), table.Query{Key: []table.Condition{partition}})
	if got := sorts(left); err != nil || !slices.Equal(got, []string{"1"}) {
		t.Errorf("left: got %q, %v", got, err)
	}
}

func TestBatchEndsWithTheErrorOfTheFunctionThatMeasuresIt(t *testing.T) {
	t.Parallel()
	tab := filled(t, nil, 2)
	full := errors.New("the caller has used enough")
	stop := func(float64) error { return full }
	if _, err := tab.BatchGet(t.Context(), table.Batch{Keys: []table.Item{key("0")}, Used: stop}); !errors.Is(err, full) {
		t.Errorf("reading: got %v", err)
	}
	if err := tab.BatchDelete(t.Context(), []table.Item{key("0")}, stop); !errors.Is(err, full) {
		t.Errorf("removing: got %v", err)
	}
}

// TestBatchRepeatsWhatThereWasNoThroughputFor handles items of a partition that has used up its
// units, and of one that has not. The first request handles only the others. Then units come
// back, or none does.
func TestBatchRepeatsWhatThereWasNoThroughputFor(t *testing.T) {
	t.Parallel()
	for name, pause := range map[string]time.Duration{"units come back": time.Second, "no unit comes back": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := testclock.At(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
			var f storagetest.Faults
			for _, operation := range []string{"BatchGetItem", "BatchWriteItem"} {
				f.Add(storagetest.Fault{Operation: operation, Nth: 1, Before: func() { clock.Add(pause) }})
			}
			env := storagetest.New(t)
			plain := table.Table{DB: env.DynamoDB, Name: env.Table("OperationsTable")}
			short := env.WithFaults(&f).WithThroughput(storagetest.Throughput{WriteUnits: 3, ReadUnits: 3, Now: clock.Now})
			tab := table.Table{DB: short.DynamoDB, Name: plain.Name}
			hot, cold := key("0"), table.Item{"pk": attr.String("cold"), "sk": attr.String("0")}
			for _, item := range []table.Item{hot, cold} {
				if err := plain.Put(t.Context(), item); err != nil {
					t.Fatal(err)
				}
			}
			exhaust := func(use func() error) {
				for range 10 {
					if err := use(); table.Throttled(err) {
						return
					}
				}
				t.Fatal("the partition has more units than it was given")
			}

			exhaust(func() error { _, err := tab.Get(t.Context(), hot); return err })
			read, err := tab.BatchGet(t.Context(), table.Batch{Keys: []table.Item{hot, cold}})
			switch {
			case pause > 0 && (err != nil || len(read) != 2):
				t.Errorf("reading: got %v, %v", read, err)
			case pause == 0 && !table.Throttled(err):
				t.Errorf("reading: got %v, want it throttled", err)
			}

			exhaust(func() error { return tab.Put(t.Context(), hot) })
			var used float64
			responses := 0
			err = tab.BatchDelete(t.Context(), []table.Item{hot, cold}, func(units float64) error {
				responses++
				used += units
				return nil
			})
			left, listed := plain.BatchGet(t.Context(), table.Batch{Keys: []table.Item{hot, cold}})
			switch {
			case listed != nil:
				t.Fatal(listed)
			case pause > 0 && (err != nil || len(left) != 0 || used < 2 || responses != 2):
				t.Errorf("removing: got %v units, %v, and %v is left", used, err, left)
			case pause == 0 && (!table.Throttled(err) || len(left) != 1 || used < 1 || responses != 1):
				t.Errorf("removing: got %v units, %v, and %v is left; want it throttled after one item", used, err, left)
			}
		})
	}
}
