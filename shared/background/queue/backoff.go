// Package queue has what everything shares that is to be done at a time: the list
// of what is due, and the pause before the next try.
//
// Its contract: a Reminder is written in the transaction that makes its owner's item
// due, or moves it, so that no crash parts them. A reminder is a hint. The owner's
// item decides, by a conditional write, whether a worker may take it up: a worker
// that was woken twice, or by an old reminder, finds the item not due and drops the
// reminder. So a reminder may be one too many, and never one too few.
package queue

import (
	"math/rand/v2"
	"time"
)

// Backoff is how long something waits that has failed.
type Backoff struct {
	// First is the pause after the first try; each later one is twice as long.
	First time.Duration
	// Most is the longest pause.
	Most time.Duration
}

// Pause returns the pause before the try after the n-th, n from 1 on; less counts as
// 1. It is drawn between a half and one and a half of First × 2^(n-1), or of Most
// where that is less, so that what failed together does not come back together.
func (b Backoff) Pause(n int) time.Duration {
	p := min(b.First, b.Most)
	for i := 1; i < n && p < b.Most; i++ {
		p = min(2*p, b.Most)
	}
	return p/2 + rand.N(p)
}
