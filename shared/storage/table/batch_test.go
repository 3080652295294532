package table_test

import (
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
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
