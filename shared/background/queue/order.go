package queue

import (
	"context"
	"fmt"
	"sync"
)

// LanePart says which part of which lane work is about. Work of different lanes, or of
// different parts of a lane, is independent.
type LanePart struct {
	// Lane is the name of the lane, such as an installation (see Entry.Lane).
	Lane string
	// Part is the part of the lane that the work is about, such as a repository. It
	// is empty if the work is about the whole lane, or if that is not known. Such
	// work may concern every part: it waits for all earlier work of the lane, and
	// all later work of the lane waits for it.
	Part string
}

// InOrder does the work of a list at the same time, at most parallel at once. Work
// waits for the earlier work of its lane that it may depend on. InOrder returns the
// error of each. Work that waits for failed work is not begun, and fails too. When
// ctx ends, no more work is begun.
func InOrder[T any](ctx context.Context, list []T, parallel int, of func(T) LanePart, do func(T) error) []error {
	failed := make([]error, len(list))
	over := make([]chan struct{}, len(list))
	parts := make([]LanePart, len(list))
	for i, work := range list {
		over[i], parts[i] = make(chan struct{}), of(work)
	}
	places := make(chan struct{}, parallel)
	var all sync.WaitGroup
	for i, waits := range earlier(parts) {
		all.Go(func() {
			defer close(over[i])
			for _, before := range waits {
				if <-over[before]; failed[before] != nil {
					failed[i] = fmt.Errorf("earlier work of the lane has failed: %w", failed[before])
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

// earlier returns, for each work, the earlier work that it must wait for: the last
// of its part, and the last of its whole lane.
func earlier(list []LanePart) [][]int {
	type last struct {
		whole []int          // of the whole lane, if any
		of    map[string]int // of each part, after that
	}
	lanes := map[string]*last{}
	waits := make([][]int, len(list))
	for i, work := range list {
		l := lanes[work.Lane]
		if l == nil {
			l = &last{of: map[string]int{}}
			lanes[work.Lane] = l
		}
		waits[i] = append(waits[i], l.whole...)
		if work.Part == "" {
			for _, before := range l.of {
				waits[i] = append(waits[i], before)
			}
			l.whole, l.of = []int{i}, map[string]int{}
			continue
		}
		if before, ok := l.of[work.Part]; ok {
			waits[i] = append(waits[i], before)
		}
		l.of[work.Part] = i
	}
	return waits
}
