package queue_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// born is the time of the tests' reminders. It lies in the future, because DynamoDB
// Local removes expired items.
var born = time.UnixMilli(4_000_000_000_000).UTC()

func reminders(env *storagetest.Env) queue.Reminders {
	return queue.Reminders{Table: table.Table{DB: env.DynamoDB, Name: env.Table("OperationsTable")}, ID: "id", Keep: time.Hour}
}

func TestPauseDoublesAndIsBounded(t *testing.T) {
	t.Parallel()
	b := queue.Backoff{First: time.Minute, Most: 10 * time.Minute}
	for n, want := range map[int]time.Duration{
		-1: time.Minute, 0: time.Minute, 1: time.Minute, 2: 2 * time.Minute, 3: 4 * time.Minute, 4: 8 * time.Minute,
		5: 10 * time.Minute, 6: 10 * time.Minute, 1 << 40: 10 * time.Minute,
	} {
		for range 100 {
			if got := b.Pause(n); got < want/2 || got >= want+want/2 {
				t.Fatalf("after try %d: got %v, want %v ± a half", n, got, want)
			}
		}
	}
}

// TestRemindersAreThoseOfAModel makes random changes to the reminders of a few ids
// in two lists, and compares what is due with a map.
func TestRemindersAreThoseOfAModel(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	s := reminders(env)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	draw := rand.New(rand.NewPCG(seed, 0))
	start := born
	model := map[string]queue.Reminder{}
	for step := range 200 {
		list, id := fmt.Sprint("LIST", draw.IntN(2)), fmt.Sprint("id", draw.IntN(5))
		next := queue.Reminder{List: list, ID: id, At: start.Add(time.Duration(draw.IntN(20)) * time.Millisecond)}
		was, there := model[list+id]
		writes, gone := s.Move(was, next), false
		switch {
		case !there:
			writes = writes[len(writes)-1:]
		case draw.IntN(4) == 0:
			writes, gone = []table.Write{s.Delete(was)}, true
		}
		if err := s.Table.Transact(t.Context(), writes...); err != nil {
			t.Fatal(err)
		}
		if model[list+id] = next; gone {
			delete(model, list+id)
		}
		now, limit := start.Add(time.Duration(draw.IntN(22)-1)*time.Millisecond), 1+draw.IntN(6)
		got, err := s.Due(t.Context(), list, now, limit)
		if err != nil {
			t.Fatal(err)
		}
		var want []queue.Reminder
		for _, r := range model {
			if r.List == list && !r.At.After(now) {
				want = append(want, r)
			}
		}
		slices.SortFunc(want, func(a, b queue.Reminder) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
		if want = want[:min(limit, len(want))]; !slices.Equal(got, want) {
			t.Fatalf("step %d: due are %v, want %v", step, got, want)
		}
	}
}

func TestAllRemindersOfAnIDAreDropped(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	s := reminders(env)
	now := born
	other := queue.Reminder{List: "LIST", ID: "b", At: now}
	elsewhere := queue.Reminder{List: "OTHER", ID: "a", At: now}
	for _, r := range []queue.Reminder{{List: "LIST", ID: "a", At: now}, {List: "LIST", ID: "a", At: now.Add(-time.Hour)}, other, elsewhere} {
		if err := s.Table.Transact(t.Context(), s.Put(r)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.DropAll(t.Context(), "LIST", "a", now); err != nil {
		t.Fatal(err)
	}
	for list, want := range map[string]queue.Reminder{"LIST": other, "OTHER": elsewhere} {
		if got, err := s.Due(t.Context(), list, now, 10); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: due are %v, %v, want %v", list, got, err, want)
		}
	}
	if err := s.Drop(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if err := s.Drop(t.Context(), other); err != nil {
		t.Errorf("one that is gone: %v", err)
	}
}

// TestReminderThatCannotBeDecodedHoldsUpNoOther puts a bad reminder before, between
// and after good ones. More bad ones than the limit must not fill the list.
func TestReminderThatCannotBeDecodedHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	s := reminders(env)
	key := func(sk string) attr.Item { return attr.Item{"pk": attr.String("LIST"), "sk": attr.String(sk)} }
	with := func(item attr.Item, name string, v table.Value) attr.Item {
		item[name] = v
		return item
	}
	bad := map[string]attr.Item{
		"no time":       with(key("#x"), "id", attr.String("x")),
		"text as time":  with(key("00000000000z0#y"), "id", attr.String("y")),
		"no id":         key("3999999999000#z"),
		"number as id":  with(key("4000000000000#b1"), "id", attr.Int(7)),
		"another as id": with(key("4000000000001#b2"), "id", attr.Strings([]string{"b2"})),
	}
	for _, item := range bad {
		if err := s.Table.Put(t.Context(), item); err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	for n := range 5 {
		r := queue.Reminder{List: "LIST", ID: fmt.Sprint("a", n), At: born.Add(time.Duration(n) * time.Millisecond)}
		if err := s.Table.Transact(t.Context(), s.Put(r)); err != nil {
			t.Fatal(err)
		}
		want = append(want, r.ID)
	}
	for limit := 1; limit <= 6; limit++ {
		got, err := s.Due(t.Context(), "LIST", born.Add(time.Second), limit)
		ids := make([]string, len(got))
		for i, r := range got {
			ids[i] = r.ID
		}
		if !slices.Equal(ids, want[:min(limit, len(want))]) {
			t.Errorf("at most %d: got %v", limit, ids)
		}
		if err == nil {
			t.Fatalf("at most %d: no error names the bad reminders", limit)
		}
		for what, item := range bad {
			sk := attr.Read(item).String("sk")
			if last := got[len(got)-1]; sk < fmt.Sprintf("%013d#%s", last.At.UnixMilli(), last.ID) && !strings.Contains(err.Error(), sk) {
				t.Errorf("at most %d: the error does not name %s: %v", limit, what, err)
			}
		}
	}
}

func TestNextTryIsAfterThePauseUntilTheTriesAreOver(t *testing.T) {
	t.Parallel()
	b := queue.Backoff{First: time.Minute, Most: time.Hour, Tries: 3}
	for n, again := range map[int]bool{0: true, 1: true, 2: true, 3: false, 4: false} {
		at, ok := b.Next(n, born)
		if ok != again || ok == at.IsZero() || ok && (at.Sub(born) < 30*time.Second || at.Sub(born) > 3*time.Minute) {
			t.Errorf("after %d tries: %v, %t", n, at, ok)
		}
	}
	if _, ok := (queue.Backoff{First: 1, Most: 1}).Next(1<<40, born); !ok {
		t.Error("tries without a maximum are over")
	}
}

// TestManyRemindersThatCannotBeDecodedCostLittle puts more bad reminders into a list
// than an error names and than a call reads.
func TestManyRemindersThatCannotBeDecodedCostLittle(t *testing.T) {
	t.Parallel()
	const bad = 25
	var faults storagetest.Faults
	s := reminders(storagetest.New(t).WithFaults(&faults))
	for n := range bad {
		item := attr.Item{"pk": attr.String("LIST"), "sk": attr.String(fmt.Sprintf("%013d#", n))} // without an id
		if err := s.Table.Put(t.Context(), item); err != nil {
			t.Fatal(err)
		}
	}
	good := queue.Reminder{List: "LIST", ID: "good", At: born}
	if err := s.Table.Transact(t.Context(), s.Put(good)); err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[int]struct{ found, named, reads int }{
		-1: {0, 0, 0},
		0:  {0, 0, 0},
		1:  {0, 10, 10},
		2:  {0, 10, 10},
		3:  {1, 10, 9},
		30: {1, 10, 1},
	} {
		faults.Clear()
		got, err := s.Due(t.Context(), "LIST", born, limit)
		named := 0
		if err != nil {
			named = strings.Count(err.Error(), "decode reminder ")
		}
		if reads := faults.Calls("Query"); len(got) != want.found || named != want.named || reads != want.reads {
			t.Errorf("at most %d: %d reminders and %d names in %d reads, want %+v: %v", limit, len(got), named, reads, want, err)
		}
		if limit == 30 && (err == nil || !strings.Contains(err.Error(), fmt.Sprint(bad))) {
			t.Errorf("the error does not say how many are bad: %v", err)
		}
	}
}
