package table_test

import (
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

func TestTransactionMakesAllWritesOrNone(t *testing.T) {
	t.Parallel()
	tab := operations(t, nil)
	for _, item := range []table.Item{with(key("gone"), "n"), with(key("changed"), "n"), with(key("checked"), "n")} {
		if err := tab.Put(t.Context(), item); err != nil {
			t.Fatal(err)
		}
	}
	writes := func(n int64) []table.Write {
		return []table.Write{
			tab.WritePut(with(key("new"), "n"), table.Absent("pk")),
			tab.WriteUpdate(table.Change(key("changed")).Add("n", attr.Int(1)).If(table.Exists("pk"))),
			tab.WriteDelete(key("gone"), table.Exists("pk")),
			tab.WriteCheck(key("checked"), table.Equal("n", attr.Int(n))),
		}
	}
	err := tab.Transact(t.Context(), writes(2)...)
	old, failed := table.ConditionFailedAt(err, 3)
	if !failed || len(old) != 0 {
		t.Errorf("got %v with the old item %v", err, old)
	}
	if _, failed := table.ConditionFailedAt(err, 0); failed || !table.Canceled(err) || len(table.Reasons(err)) != 4 {
		t.Errorf("the reasons are %v", table.Reasons(err))
	}
	if item, err := tab.Get(t.Context(), key("new")); item != nil || err != nil {
		t.Errorf("a cancelled transaction wrote %v, %v", item, err)
	}
	if err := tab.Transact(t.Context(), writes(1)...); err != nil {
		t.Fatal(err)
	}
	for sk, want := range map[string]int64{"new": 1, "changed": 2, "gone": 0} {
		item, err := tab.Get(t.Context(), key(sk))
		if err != nil || number(t, item, "n") != want {
			t.Errorf("%s is %v, %v; want %d", sk, item, err, want)
		}
	}
}

// A cancelled transaction is made again if others or load are the reason, and not
// if a condition is.
func TestTransactionIsRepeatedOnlyWhereThatCanHelp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault storagetest.Kind
		taken bool // the condition does not hold
		nth   int
		calls int
	}{
		"one conflict":     {storagetest.Conflict, false, 1, 2},
		"throttled once":   {storagetest.Throttle, false, 1, 2},
		"lost answer":      {storagetest.LoseAnswer, false, 1, 2},
		"failed condition": {storagetest.Pass, true, 1, 1},
	} {
		var f storagetest.Faults
		tab := operations(t, &f)
		if c.taken {
			if err := tab.Put(t.Context(), key("a")); err != nil {
				t.Fatal(err)
			}
		}
		f.Add(storagetest.Fault{Operation: "TransactWriteItems", Nth: c.nth, Kind: c.fault})
		err := tab.Transact(t.Context(), tab.WritePut(with(key("a"), "n"), table.Absent("pk")), tab.WritePut(key("b")))
		_, failed := table.ConditionFailedAt(err, 0)
		if failed != c.taken || err != nil && !failed || f.Calls("TransactWriteItems") != c.calls {
			t.Errorf("%s: %v after %d calls, want %d", name, err, f.Calls("TransactWriteItems"), c.calls)
		}
	}
}

func TestTransactionEndsAfterAFewTries(t *testing.T) {
	t.Parallel()
	var f storagetest.Faults
	f.Add(storagetest.Fault{Operation: "TransactWriteItems", Kind: storagetest.Conflict})
	tab := operations(t, &f)
	err := tab.Transact(t.Context(), tab.WritePut(key("a")), tab.WritePut(key("b")))
	if !table.Contended(err) || !table.Overtaken(err) || f.Calls("TransactWriteItems") < 2 {
		t.Errorf("got %v after %d calls", err, f.Calls("TransactWriteItems"))
	}
}

func TestTransactionWithATokenIsMadeOnce(t *testing.T) {
	t.Parallel()
	tab := operations(t, nil)
	for range 2 {
		err := tab.TransactOnce(t.Context(), "the-same-token", tab.WriteUpdate(table.Change(key("a")).Add("n", attr.Int(1))))
		if err != nil {
			t.Fatal(err)
		}
	}
	item, err := tab.Get(t.Context(), key("a"))
	if err != nil || number(t, item, "n") != 1 {
		t.Errorf("got %v, %v; want that it counts once", item, err)
	}
}

func TestNewItemReplacesNoneAndReturnsTheOneThereIs(t *testing.T) {
	t.Parallel()
	tab := operations(t, nil)
	write := func(n int64) error {
		item := key("a")
		item["n"] = attr.Int(n)
		return tab.Transact(t.Context(), tab.WritePut(key("b")), tab.WriteNew(item))
	}
	if err := write(1); err != nil {
		t.Fatal(err)
	}
	old, failed := table.ConditionFailedAt(write(2), 1)
	if !failed || attr.Read(old).Int("n") != 1 {
		t.Errorf("failed %t with %v, want the item with n = 1", failed, old)
	}
}
