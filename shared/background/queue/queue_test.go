package queue_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
)

// born is the time of the tests' reminders. It lies in the future, because DynamoDB
// Local removes expired items.
var born = time.UnixMilli(4_000_000_000_000).UTC()

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
	s := queue.Reminders{DB: env.DynamoDB, Table: env.Table("OperationsTable"), ID: "id", Keep: time.Hour}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	draw := rand.New(rand.NewPCG(seed, 0))
	start := born
	model := map[string]queue.Reminder{}
	for step := range 200 {
		list, id := fmt.Sprint("LIST", draw.IntN(2)), fmt.Sprint("id", draw.IntN(5))
		next := queue.Reminder{List: list, ID: id, At: start.Add(time.Duration(draw.IntN(20)) * time.Millisecond)}
		was, there := model[list+id]
		writes := s.Move(was, next)
		switch {
		case !there:
			writes = writes[len(writes)-1:]
		case draw.IntN(4) == 0:
			writes = writes[:0]
			writes = append(writes, s.Delete(was))
		}
		gone := there && len(writes) == 1 && writes[0].Delete != nil
		if err := awsclient.Transact(t.Context(), env.DynamoDB, writes); err != nil {
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
	s := queue.Reminders{DB: env.DynamoDB, Table: env.Table("OperationsTable"), ID: "id", Keep: time.Hour}
	now := born
	other := queue.Reminder{List: "LIST", ID: "b", At: now}
	elsewhere := queue.Reminder{List: "OTHER", ID: "a", At: now}
	for _, r := range []queue.Reminder{{List: "LIST", ID: "a", At: now}, {List: "LIST", ID: "a", At: now.Add(-time.Hour)}, other, elsewhere} {
		if err := awsclient.Transact(t.Context(), env.DynamoDB, s.Move(queue.Reminder{List: r.List, ID: r.ID, At: r.At}, r)); err != nil {
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
