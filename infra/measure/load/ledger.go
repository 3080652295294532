package load

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// ledger is what all connections note.
type ledger struct {
	mu      sync.Mutex
	latency map[string][]time.Duration // by operation
	failed  map[string]int
	refused map[string]int // by error id
	first   []string       // the first failures in words
}

// shownFailures is how many failures are kept in words: one is enough to begin
// with, thousands help nobody.
const shownFailures = 20

func newLedger() *ledger {
	return &ledger{latency: map[string][]time.Duration{}, failed: map[string]int{}, refused: map[string]int{}}
}

// done notes an answered request.
func (l *ledger) done(operation string, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.latency[operation] = append(l.latency[operation], took)
}

// refuse notes a request that was refused for load.
func (l *ledger) refuse(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused[id]++
}

// fail notes an operation that went wrong or was answered wrongly.
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

// operations summarises every operation, by name, and refusals by their id.
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

// quantile answers the smallest value that at least the share q of the sorted
// values does not exceed; 0 of none.
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
