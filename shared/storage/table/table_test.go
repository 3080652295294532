package table_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// operations is a table with the string keys pk and sk.
func operations(t *testing.T, f *storagetest.Faults) table.Table {
	t.Helper()
	env := storagetest.New(t)
	faulty := env
	if f != nil {
		faulty = env.WithFaults(f)
	}
	return table.Table{DB: faulty.DynamoDB, Name: env.Table("OperationsTable")}
}

func key(sk string) table.Item { return table.Item{"pk": attr.String("p"), "sk": attr.String(sk)} }

// with is an item with more attributes.
func with(item table.Item, names ...string) table.Item {
	for _, name := range names {
		item[name] = attr.Int(1)
	}
	return item
}

func number(t *testing.T, item table.Item, name string) int64 {
	t.Helper()
	r := attr.Read(item)
	n := r.Int(name)
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return n
}

func TestEachConditionDecidesAWrite(t *testing.T) {
	t.Parallel()
	tab := operations(t, nil)
	five, text := attr.Int(5), attr.String("abc")
	item := key("a")
	item["n"], item["size"], item["m"] = five, text, attr.Map(table.Item{"id": text}) // size is a reserved word
	if err := tab.Put(t.Context(), item); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		condition table.Condition
		holds     bool
	}{
		"exists":                 {table.Exists("n"), true},
		"does not exist":         {table.Exists("x"), false},
		"absent":                 {table.Absent("x"), true},
		"not absent":             {table.Absent("n"), false},
		"equal":                  {table.Equal("n", five), true},
		"equal in a map":         {table.Equal("m.id", text), true},
		"not equal":              {table.Equal("n", attr.Int(6)), false},
		"equal of absent":        {table.Equal("x", five), false},
		"differs":                {table.Differs("n", attr.Int(6)), true},
		"absent differs":         {table.Differs("x", five), true},
		"does not differ":        {table.Differs("n", five), false},
		"less":                   {table.Less("n", attr.Int(6)), true},
		"not less":               {table.Less("n", five), false},
		"at most":                {table.AtMost("n", five), true},
		"more than at most":      {table.AtMost("n", attr.Int(4)), false},
		"greater":                {table.Greater("n", attr.Int(4)), true},
		"not greater":            {table.Greater("n", five), false},
		"at least":               {table.AtLeast("n", five), true},
		"less than at least":     {table.AtLeast("n", attr.Int(6)), false},
		"between":                {table.Between("n", attr.Int(4), five), true},
		"not between":            {table.Between("n", attr.Int(6), attr.Int(7)), false},
		"in":                     {table.In("size", attr.String("x"), text), true},
		"not in":                 {table.In("size", attr.String("x")), false},
		"begins":                 {table.BeginsWith("size", attr.String("ab")), true},
		"does not begin":         {table.BeginsWith("size", attr.String("b")), false},
		"any":                    {table.Any(table.Exists("x"), table.Exists("n")), true},
		"none of any":            {table.Any(table.Exists("x"), table.Exists("y")), false},
		"every":                  {table.Every(table.Exists("n"), table.Exists("size")), true},
		"not every":              {table.Every(table.Exists("n"), table.Exists("y")), false},
		"absent or":              {table.AbsentOr("x", table.Less("x", five)), true},
		"neither absent nor":     {table.AbsentOr("n", table.Less("n", five)), false},
		"any binds before every": {table.Any(table.Every(table.Exists("x"), table.Exists("n")), table.Absent("n")), false},
	} {
		// The last condition shows that all must hold, however the first is made.
		err := tab.Update(t.Context(), table.Change(key("a")).Set("seen", five).If(c.condition, table.Exists("pk")).KeepOld())
		old, failed := table.ConditionFailed(err)
		if failed == c.holds || (err != nil) == c.holds {
			t.Errorf("%s: got %v, want that it holds: %t", name, err, c.holds)
		}
		if failed && number(t, old, "n") != 5 {
			t.Errorf("%s: the old item is %v", name, old)
		}
	}
}

func TestChangeDoesAllItsParts(t *testing.T) {
	t.Parallel()
	tab := operations(t, nil)
	change := func() *table.Edit {
		return table.Change(key("a")).Set("plain", attr.Int(1)).SetFirst("first", attr.Int(1)).Count("counted", 10, 2).
			Add("sum", attr.Int(3)).SetAll(with(table.Item{}, "b", "a")).SetOrRemove(true, "kept", attr.Int(1))
	}
	if err := tab.Update(t.Context(), change()); err != nil {
		t.Fatal(err)
	}
	item, err := tab.UpdateReturning(t.Context(), table.Change(key("a")).SetFirst("first", attr.Int(2)).Count("counted", 10, 2).
		Add("sum", attr.Int(3)).Remove("plain", "absent").SetOrRemove(false, "kept", nil))
	if err != nil {
		t.Fatal(err)
	}
	read, err := tab.Get(t.Context(), key("a"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int64{"first": 1, "counted": 14, "sum": 6, "a": 1, "b": 1, "plain": 0, "kept": 0} {
		if got := number(t, item, name); got != want {
			t.Errorf("%s is returned as %d, want %d", name, got, want)
		}
		if got := number(t, read, name); got != want {
			t.Errorf("%s is read as %d, want %d", name, got, want)
		}
	}
	for _, name := range []string{"plain", "kept"} {
		if attr.Read(read).Has(name) {
			t.Errorf("%s is still there", name)
		}
	}
}

func TestMembersOfASetAreAddedAndSubtracted(t *testing.T) {
	t.Parallel()
	tab := operations(t, nil)
	set := func(members ...string) table.Value { return attr.Strings(members) }
	for _, c := range []struct {
		name   string
		change *table.Edit
		want   []string // nil: the item lacks the set
	}{
		{"subtracted from no set", table.Change(key("a")).Subtract("s", set("x")), nil},
		{"added", table.Change(key("a")).Add("s", set("x", "y", "z")), []string{"x", "y", "z"}},
		{"subtracted", table.Change(key("a")).Set("n", attr.Int(1)).Subtract("s", set("x", "other")), []string{"y", "z"}},
		{"none left", table.Change(key("a")).Subtract("s", set("y", "z")), nil},
	} {
		if err := tab.Update(t.Context(), c.change); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		item, err := tab.Get(t.Context(), key("a"))
		if err != nil {
			t.Fatal(err)
		}
		got := attr.Read(item).Strings("s")
		if slices.Sort(got); !slices.Equal(got, c.want) || attr.Read(item).Has("s") != (c.want != nil) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestPutAndDeleteTellTheOldItem(t *testing.T) {
	t.Parallel()
	tab := operations(t, nil)
	if err := tab.Put(t.Context(), with(key("a"), "n"), table.Absent("pk")); err != nil {
		t.Fatal(err)
	}
	old, failed := table.ConditionFailed(tab.Put(t.Context(), key("a"), table.Absent("pk")))
	if !failed || len(old) != 0 {
		t.Errorf("put: failed %t with %v", failed, old)
	}
	old, failed = table.ConditionFailed(tab.Delete(t.Context(), key("a"), table.Equal("n", attr.Int(2))))
	if !failed || len(old) != 0 {
		t.Errorf("delete: failed %t with %v", failed, old)
	}
	if err := tab.Delete(t.Context(), key("a"), table.Equal("n", attr.Int(1))); err != nil {
		t.Error(err)
	}
	old, failed = table.ConditionFailed(tab.Delete(t.Context(), key("a"), table.Exists("pk")))
	if !failed || len(old) != 0 {
		t.Errorf("delete of none: failed %t with %v", failed, old)
	}
	if err := tab.Delete(t.Context(), key("a")); err != nil {
		t.Error(err)
	}
	if item, err := tab.Get(t.Context(), key("a")); item != nil || err != nil {
		t.Errorf("got %v, %v; want nothing", item, err)
	}
}

func TestOnlyTheNamedAttributesAreRead(t *testing.T) {
	t.Parallel()
	tab := operations(t, nil)
	if err := tab.Put(t.Context(), with(key("a"), "name", "other")); err != nil {
		t.Fatal(err)
	}
	one, err := tab.Get(t.Context(), key("a"), "name")
	if err != nil || len(one) != 1 || number(t, one, "name") != 1 {
		t.Errorf("get: %v, %v", one, err)
	}
	many, err := tab.BatchGet(t.Context(), table.Batch{Keys: []table.Item{key("a"), key("b")}, Names: []string{"name"}})
	if err != nil || len(many) != 1 || len(many[0]) != 1 {
		t.Errorf("batch: %v, %v", many, err)
	}
	found, err := tab.All(t.Context(), table.Query{Key: []table.Condition{table.Equal("pk", attr.String("p"))}, Names: []string{"name"}})
	if err != nil || len(found) != 1 || len(found[0]) != 1 {
		t.Errorf("query: %v, %v", found, err)
	}
}

// A write whose answer is lost counts twice, unless it is sent once: then the
// caller is told that it may have taken effect.
func TestWriteThatIsSentOnceIsNotRepeatedWhenItsAnswerIsLost(t *testing.T) {
	t.Setenv("AWS_REGION", "us-east-1")
	for name, c := range map[string]struct {
		kind      storagetest.Kind
		calls     int
		ambiguous bool
		sum       int64
	}{
		"lost answer":  {storagetest.LoseAnswer, 1, true, 1},
		"server error": {storagetest.ServerError, 1, true, 0},
		"throttled":    {storagetest.Throttle, 2, false, 1},
		"conflict":     {storagetest.Conflict, 2, false, 1},
		"refused":      {storagetest.Refuse, 2, false, 1},
	} {
		var f storagetest.Faults
		tab := operations(t, &f)
		f.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 1, Kind: c.kind})
		err := tab.SentOnce().Update(t.Context(), table.Change(key("a")).Add("n", attr.Int(1)))
		if table.Ambiguous(err) != c.ambiguous || (err != nil) != c.ambiguous || f.Calls("UpdateItem") != c.calls {
			t.Errorf("%s: %v after %d calls, want ambiguous %t after %d", name, err, f.Calls("UpdateItem"), c.ambiguous, c.calls)
		}
		item, err := tab.Get(t.Context(), key("a"))
		if err != nil || number(t, item, "n") != c.sum {
			t.Errorf("%s: the sum is %v, %v; want %d", name, item, err, c.sum)
		}
	}
}

func TestOtherFailuresAreNoFailedCondition(t *testing.T) {
	t.Parallel()
	var f storagetest.Faults
	f.Add(storagetest.Fault{Kind: storagetest.Throttle})
	tab := operations(t, &f)
	err := tab.Put(t.Context(), key("a"), table.Absent("pk"))
	if _, failed := table.ConditionFailed(err); failed || !table.Throttled(err) {
		t.Errorf("got %v, want throttling", err)
	}
	if _, failed := table.ConditionFailed(errors.New("other")); failed {
		t.Error("an error of another kind is taken for a condition")
	}
	if _, failed := table.ConditionFailedAt(nil, 0); failed || table.Reasons(nil) != nil {
		t.Error("no error is taken for a condition")
	}
}
