package main

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
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/infra/test/template"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/background/stream"
)

// errands reads a text such as "1.7 1.8 1 2.7": deliveries of installations, and
// the repositories that they are about.
func errands(text string) (list []errand) {
	for word := range strings.FieldsSeq(text) {
		lane, repository, _ := strings.Cut(word, ".")
		list = append(list, errand{key: delivery.Key{Lane: lane, Place: fmt.Sprint(len(list))}, repository: repository})
	}
	return list
}

func TestDeliveryWaitsForThoseBeforeItThatItMayContradict(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"1.7 1.7 1.7":         "[] [0] [1]",
		"1.7 1.8 2.7":         "[] [] []",
		"1.7 1.8 1.7 1.8":     "[] [] [0] [1]",
		"1.7 1.8 1 1.7 1.8":   "[] [] [0 1] [2] [2]",
		"1 1 1.7 2":           "[] [0] [1] []",
		"1.7 1 1.8 1.8 1 1.7": "[] [0] [1] [1 2] [1 3] [4]",
	} {
		waits := earlier(errands(text))
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

// TestRepositoriesAreProcessedBesideEachOther makes each delivery wait until all
// have begun. If they ran one after the other, the test would never end.
func TestRepositoriesAreProcessedBesideEachOther(t *testing.T) {
	t.Parallel()
	list := errands("1.1 1.2 1.3 2.1 3.1 4.1 5.1 5.2")
	if len(list) != atOnce {
		t.Fatalf("%d of %d", len(list), atOnce)
	}
	var all sync.WaitGroup
	all.Add(len(list))
	for i, err := range inOrder(t.Context(), list, func(errand) error {
		all.Done()
		all.Wait()
		return nil
	}) {
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestWhatFailsStopsItsRepositoryAlone(t *testing.T) {
	t.Parallel()
	list := errands("1.7 1.7 1.8 1.7 1.8 2.7 1 1.9")
	var mu sync.Mutex
	var done []string
	broken := errors.New("broken")
	failed := inOrder(t.Context(), list, func(e errand) error {
		mu.Lock()
		defer mu.Unlock()
		if done = append(done, e.key.Place); e.key.Place == "1" {
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

func TestNothingIsBegunWhenTimeIsOver(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	failed := inOrder(ctx, errands("1.7 1.7"), func(errand) error { cancel(); return nil })
	if failed[0] != nil || !errors.Is(failed[1], context.Canceled) {
		t.Errorf("got %v", failed)
	}
}

// TestOrderIsKeptWhateverTakesLong begins and ends random deliveries in random
// order. If two of them may contradict each other, the first must end before the
// second begins.
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
		list := errands(text.String())
		var mu sync.Mutex
		ended := map[string]bool{}
		inOrder(t.Context(), list, func(e errand) error {
			mu.Lock()
			i, _ := strconv.Atoi(e.key.Place)
			for _, before := range list[:i] {
				contradicts := before.repository == "" || e.repository == "" || before.repository == e.repository
				if before.key.Lane == e.key.Lane && contradicts && !ended[before.key.Place] {
					t.Errorf("%s: %s is begun before %s has ended", text.String(), e.key.Place, before.key.Place)
				}
			}
			mu.Unlock()
			runtime.Gosched()
			mu.Lock()
			defer mu.Unlock()
			ended[e.key.Place] = true
			return nil
		})
		if len(ended) != len(list) {
			t.Fatalf("%d of %d ended", len(ended), len(list))
		}
	}
}

func TestFirstThatCouldNotBeEndedIsHandedBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var records []events.DynamoDBEventRecord
	for i, repository := range []string{"7", "8", "8", "7"} {
		d := about(fmt.Sprint(i), "42", repository, time.Duration(i)*time.Second)
		records = append(records, r.arrive(t, d, push("infra", born)))
	}
	w := r.over(r.Role)
	process := func(e errand) error {
		if e.record.Sequence == "1" {
			return errors.New("storage")
		}
		return w.process(t.Context(), &tally{}, w.deliveries.Begin, e.key)
	}
	var changes []stream.Record
	for _, record := range records {
		changes = append(changes, stream.Of(record))
	}
	list := arrivals(changes)
	got, err := handedBack(list, inOrder(t.Context(), list, process))
	if len(got.BatchItemFailures) != 1 || got.BatchItemFailures[0].ItemIdentifier != "1" || err == nil {
		t.Errorf("handed back %v, %v", got.BatchItemFailures, err)
	}
	for id, want := range map[string]delivery.State{"0": delivery.Done, "1": delivery.Received, "2": delivery.Received, "3": delivery.Done} {
		if d, err := r.deliveries.Get(t.Context(), "github", id); err != nil || d.State != want {
			t.Errorf("delivery %s is %s, %v, want %s", id, d.State, err, want)
		}
	}
}

// TestOneInvocationAtATimeReadsAShard checks that the template has the settings
// that the order of a repository's deliveries depends on.
func TestOneInvocationAtATimeReadsAShard(t *testing.T) {
	t.Parallel()
	root, err := template.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	tpl, err := template.Load(root+"/template.yaml", template.Options{})
	if err != nil {
		t.Fatal(err)
	}
	streams := tpl.Function("WorkerFunction").Streams
	if len(streams) != 1 || streams[0].Table != "DeliveriesTable" || streams[0].ParallelizationFactor != 1 || !streams[0].ReportsBatchFailures {
		t.Errorf("got %+v", streams)
	}
}
