package table_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// filled returns a table with the items 0 to n-1 in one partition.
func filled(t *testing.T, f *storagetest.Faults, n int) table.Table {
	t.Helper()
	tab := operations(t, f)
	for i := range n {
		item := key(fmt.Sprint(i))
		item["n"] = attr.Int(int64(i))
		if err := tab.Put(t.Context(), item); err != nil {
			t.Fatal(err)
		}
	}
	return tab
}

var partition = table.Equal("pk", attr.String("p"))

func sorts(items []table.Item) []string {
	var found []string
	for _, item := range items {
		found = append(found, attr.Read(item).String("sk"))
	}
	return found
}

func TestQueryFindsItsRangeInOrder(t *testing.T) {
	t.Parallel()
	tab := filled(t, nil, 5)
	text := attr.String
	for name, c := range map[string]struct {
		q    table.Query
		want []string
	}{
		"all":      {table.Query{}, []string{"0", "1", "2", "3", "4"}},
		"backward": {table.Query{Backward: true}, []string{"4", "3", "2", "1", "0"}},
		"before":   {table.Query{Key: []table.Condition{table.Less("sk", text("2"))}}, []string{"0", "1"}},
		"between":  {table.Query{Key: []table.Condition{table.Between("sk", text("1"), text("2"))}}, []string{"1", "2"}},
		"prefix":   {table.Query{Key: []table.Condition{table.BeginsWith("sk", text("3"))}}, []string{"3"}},
		"filtered": {table.Query{Filter: []table.Condition{table.AtLeast("n", attr.Int(4))}}, []string{"4"}},
		"in pages": {table.Query{Limit: 2}, []string{"0", "1", "2", "3", "4"}},
		"eventual": {table.Query{Eventual: true, Limit: 3}, []string{"0", "1", "2", "3", "4"}},
	} {
		c.q.Key = append([]table.Condition{partition}, c.q.Key...)
		items, err := tab.All(t.Context(), c.q)
		if err != nil || !slices.Equal(sorts(items), c.want) {
			t.Errorf("%s: got %v, %v; want %v", name, sorts(items), err, c.want)
		}
	}
}

func TestPageSaysWhereTheQueryGoesOn(t *testing.T) {
	t.Parallel()
	var f storagetest.Faults
	tab := filled(t, &f, 5)
	q := table.Query{Key: []table.Condition{partition}, Limit: 3, Measure: true}
	first, err := tab.Query(t.Context(), q)
	if err != nil || first.Next == nil || first.Read != 3 || first.Count != 3 || first.Units == 0 {
		t.Fatalf("first page: %+v, %v", first, err)
	}
	q.After = first.Next
	second, err := tab.Query(t.Context(), q)
	if err != nil || second.Next != nil || !slices.Equal(sorts(second.Items), []string{"3", "4"}) {
		t.Errorf("second page: %+v, %v", second, err)
	}
	q.After, q.CountOnly = nil, true
	counted, err := tab.Query(t.Context(), q)
	if err != nil || counted.Items != nil || counted.Count != 3 {
		t.Errorf("count: %+v, %v", counted, err)
	}
	before := f.Calls("Query")
	for _, err := range tab.Pages(t.Context(), q) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	if n := f.Calls("Query") - before; n != 1 {
		t.Errorf("a loop that ends after a page made %d requests", n)
	}
}

func TestPagesEndWithAnError(t *testing.T) {
	t.Parallel()
	var f storagetest.Faults
	tab := filled(t, &f, 3)
	f.Add(storagetest.Fault{Operation: "Query", Kind: storagetest.Throttle, Nth: 2})
	f.Add(storagetest.Fault{Operation: "Query", Kind: storagetest.Throttle, Nth: 3})
	f.Add(storagetest.Fault{Operation: "Query", Kind: storagetest.Throttle, Nth: 4})
	_, err := tab.All(t.Context(), table.Query{Key: []table.Condition{partition}, Limit: 1})
	if !table.Throttled(err) {
		t.Errorf("got %v, want throttling", err)
	}
}
