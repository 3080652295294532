package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/background/stream"
)

// errand is a delivery that an invocation is to process.
type errand struct {
	key delivery.Key
	// repository is the id of the one that it is about; empty where it is about
	// the installation, or is not known to be about less.
	repository string
	// record is the stream's record of it; none where it was found due.
	record stream.Record
}

// atOnce is how many deliveries are processed beside each other. A repository's own are
// not: each waits for the one before it.
const atOnce = 8

// earlier returns, for each errand, the errands before it that it must wait for:
// the last one of its repository, and the last one of its installation as a
// whole. One that is about an installation waits for all before it of that
// installation, and all behind it wait for that one, as it may tell of any of its
// repositories.
func earlier(list []errand) [][]int {
	type lane struct {
		whole []int          // the last about the installation, if any
		of    map[string]int // the last of each repository, behind that one
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

// inOrder does errands beside each other, each behind those that it waits for,
// and returns what became of each. One that waits for what has failed is not
// begun, and fails with it.
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
