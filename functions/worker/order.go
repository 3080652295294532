package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/background/stream"
)

// errand is a delivery that an invocation must process.
type errand struct {
	key delivery.Key
	// repository is the id of the repository that the delivery is about. It is
	// empty if the delivery is about the whole installation, or if that is not
	// known.
	repository string
	// record is the stream's record of the delivery. It is empty if the delivery
	// was found because it was due.
	record stream.Record
}

// atOnce is how many deliveries are processed at the same time. Two deliveries of
// one repository are not: each waits for the one before it.
const atOnce = 8

// earlier returns, for each errand, the earlier errands that it must wait for: the
// last one of its repository, and the last one about its whole installation. An
// errand about a whole installation may hold facts about any of its repositories.
// So it waits for all earlier ones of the installation, and all later ones wait for
// it.
func earlier(list []errand) [][]int {
	type lane struct {
		whole []int          // the last one about the whole installation, if any
		of    map[string]int // the last one of each repository, after that
	}
	lanes := map[string]*lane{}
	waits := make([][]int, len(list))
	for i, e := range list {
		l := lanes[e.key.Lane]
		if l == nil {
			l = &lane{of: map[string]int{}}
			lanes[e.key.Lane] = l
		}
		waits[i] = append(waits[i], l.whole...)
		if e.repository == "" {
			for _, last := range l.of {
				waits[i] = append(waits[i], last)
			}
			l.whole, l.of = []int{i}, map[string]int{}
			continue
		}
		if last, ok := l.of[e.repository]; ok {
			waits[i] = append(waits[i], last)
		}
		l.of[e.repository] = i
	}
	return waits
}

// inOrder processes errands at the same time, but each after those that it must
// wait for. It returns the error of each. An errand that waits for a failed one is
// not begun, and fails too.
func inOrder(ctx context.Context, list []errand, do func(errand) error) []error {
	failed := make([]error, len(list))
	over := make([]chan struct{}, len(list))
	for i := range over {
		over[i] = make(chan struct{})
	}
	places := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i, waits := range earlier(list) {
		all.Go(func() {
			defer close(over[i])
			for _, before := range waits {
				if <-over[before]; failed[before] != nil {
					failed[i] = fmt.Errorf("one before it has failed: %w", failed[before])
					return
				}
			}
			places <- struct{}{}
			defer func() { <-places }()
			if failed[i] = ctx.Err(); failed[i] == nil {
				failed[i] = do(list[i])
			}
		})
	}
	all.Wait()
	return failed
}
