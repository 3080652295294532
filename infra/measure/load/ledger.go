package load

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// ledger holds what all connections record.
type ledger struct {
	mu      sync.Mutex
	latency map[string][]time.Duration // by operation
	failed  map[string]int
	refused map[string]int // by error id
	first   []string       // the first failures, as text
}

// shownFailures is the maximum number of failures that are kept as text. A few are enough to
// begin with, and thousands would help nobody.
const shownFailures = 20

func newLedger() *ledger {
	return &ledger{latency: map[string][]time.Duration{}, failed: map[string]int{}, refused: map[string]int{}}
}

// done records a request with a response.
func (l *ledger) done(operation string, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.latency[operation] = append(l.latency[operation], took)
}

// refuse records a request that was refused because of load.
func (l *ledger) refuse(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused[id]++
}

// fail records an operation that failed or had a wrong response.
func (l *ledger) fail(operation string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed[operation]++
	if len(l.first) < shownFailures {
		l.first = append(l.first, fmt.Sprintf("%s %s: %v", time.Now().Format(time.TimeOnly), operation, err))
	}
}

func (l *ledger) totals() (done, failed, refused int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, list := range l.latency {
		done += len(list)
	}
	return done, sum(l.failed), sum(l.refused)
}

func (l *ledger) failures() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.first)
}

// operations summarises all operations by name, and refusals by their id.
func (l *ledger) operations() []Operation {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []Operation
	for name := range l.failed {
		if _, ok := l.latency[name]; !ok {
			l.latency[name] = nil
		}
	}
	for name, all := range l.latency {
		slices.Sort(all)
		list = append(list, Operation{
			Name: name, Count: len(all), Errors: l.failed[name],
			P50: quantile(all, 0.5), P90: quantile(all, 0.9), P99: quantile(all, 0.99), Max: quantile(all, 1),
		})
	}
	for id, n := range l.refused {
		list = append(list, Operation{Name: id, Refused: n})
	}
	slices.SortFunc(list, func(a, b Operation) int { return compare(a, b) })
	return list
}

// quantile returns the smallest of the sorted values that is not below the share q of them. It
// returns 0 if there are no values.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	at := int(q*float64(len(sorted))+0.999999) - 1
	return sorted[min(max(at, 0), len(sorted)-1)]
}

func sum(counts map[string]int) (total int) {
	for _, n := range counts {
		total += n
	}
	return total
}
