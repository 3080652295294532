package queue_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/opsplane/opsplane/shared/background/queue"
)

// work is work on a part of a lane. Its id is its number in the list.
type work struct {
	id string
	on queue.LanePart
}

func (w work) part() queue.LanePart { return w.on }

// works reads a text such as "1.7 1.8 1 2.7": work of lanes, and the parts that it is
// about.
func works(text string) (list []work) {
	for word := range strings.FieldsSeq(text) {
		lane, part, _ := strings.Cut(word, ".")
		list = append(list, work{fmt.Sprint(len(list)), queue.LanePart{Lane: lane, Part: part}})
	}
	return list
}

func parts(list []work) (found []queue.LanePart) {
	for _, w := range list {
		found = append(found, w.on)
	}
	return found
}

func TestWorkWaitsForThatBeforeItOnWhichItMayDepend(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"1.7 1.7 1.7":         "[] [0] [1]",
		"1.7 1.8 2.7":         "[] [] []",
		"1.7 1.8 1.7 1.8":     "[] [] [0] [1]",
		"1.7 1.8 1 1.7 1.8":   "[] [] [0 1] [2] [2]",
		"1 1 1.7 2":           "[] [0] [1] []",
		"1.7 1 1.8 1.8 1 1.7": "[] [0] [1] [1 2] [1 3] [4]",
	} {
		waits := queue.Earlier(parts(works(text)))
		got := make([]string, len(waits))
		for i, w := range waits {
			slices.Sort(w)
			got[i] = fmt.Sprint(w)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %s, want %s", text, strings.Join(got, " "), want)
		}
	}
}

// TestPartsAreWorkedAtInParallel makes each work wait until all have begun. If they
// ran one after the other, the test would never end.
func TestPartsAreWorkedAtInParallel(t *testing.T) {
	t.Parallel()
	list := works("1.1 1.2 1.3 2.1 3.1 4.1 5.1 5.2")
	var all sync.WaitGroup
	all.Add(len(list))
	for i, err := range queue.InOrder(t.Context(), list, len(list), work.part, func(work) error {
		all.Done()
		all.Wait()
		return nil
	}) {
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestWorkThatFailsStopsOnlyItsPart(t *testing.T) {
	t.Parallel()
	list := works("1.7 1.7 1.8 1.7 1.8 2.7 1 1.9")
	var mu sync.Mutex
	var done []string
	broken := errors.New("broken")
	failed := queue.InOrder(t.Context(), list, 8, work.part, func(e work) error {
		mu.Lock()
		defer mu.Unlock()
		if done = append(done, e.id); e.id == "1" {
			return broken
		}
		return nil
	})
	var bad []int
	for i, err := range failed {
		if errors.Is(err, broken) {
			bad = append(bad, i)
		}
	}
	if want := []int{1, 3, 6, 7}; !slices.Equal(bad, want) {
		t.Errorf("failed %v, want %v", bad, want)
	}
	if slices.Sort(done); !slices.Equal(done, []string{"0", "1", "2", "4", "5"}) {
		t.Errorf("begun %v", done)
	}
}

func TestNoWorkIsBegunWhenTimeIsOver(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	failed := queue.InOrder(ctx, works("1.7 1.7"), 8, work.part, func(work) error { cancel(); return nil })
	if failed[0] != nil || !errors.Is(failed[1], context.Canceled) {
		t.Errorf("got %v", failed)
	}
}

// TestOrderIsKeptWhateverTakesLong begins and ends random work in random order. If
// one may depend on another, the first must end before the second begins.
func TestOrderIsKeptWhateverTakesLong(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var text strings.Builder
		for range 60 {
			fmt.Fprintf(&text, "%d", random.IntN(2))
			if random.IntN(6) > 0 {
				fmt.Fprintf(&text, ".%d", random.IntN(3))
			}
			text.WriteString(" ")
		}
		list := works(text.String())
		var mu sync.Mutex
		ended := map[string]bool{}
		queue.InOrder(t.Context(), list, 8, work.part, func(e work) error {
			mu.Lock()
			i, _ := strconv.Atoi(e.id)
			for _, before := range list[:i] {
				depends := before.on.Part == "" || e.on.Part == "" || before.on.Part == e.on.Part
				if before.on.Lane == e.on.Lane && depends && !ended[before.id] {
					t.Errorf("%s: %s is begun before %s has ended", text.String(), e.id, before.id)
				}
			}
			mu.Unlock()
			runtime.Gosched()
			mu.Lock()
			defer mu.Unlock()
			ended[e.id] = true
			return nil
		})
		if len(ended) != len(list) {
			t.Fatalf("%d of %d ended", len(ended), len(list))
		}
	}
}
