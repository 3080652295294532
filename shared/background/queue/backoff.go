// Package queue holds what all work that is due at a time shares: the list of what
// is due, and the pause before the next try.
//
// Its contract: a Reminder is written in the transaction that makes its owner's
// item due, or changes its due time. So no crash can separate the two. A reminder
// is a hint. A conditional write of the owner's item decides whether a worker may
// begin it. If a worker was woken twice, or by an old reminder, it finds that the
// item is not due, and drops the reminder. So there may be too many reminders, but
// never too few.
package queue

import (
	"math/rand/v2"
	"time"
)

// Backoff says how long work waits after a failure.
type Backoff struct {
	// First is the pause after the first try; each later one is twice as long.
	First time.Duration
	// Most is the longest pause.
	Most time.Duration
}

// Pause returns the pause after the n-th try. n counts from 1, and a smaller n
// counts as 1. The pause is random: 0.5 to 1.5 times First × 2^(n-1), or 0.5 to 1.5
// times Most if that is less. So what failed at the same time is not tried again at
// the same time.
func (b Backoff) Pause(n int) time.Duration {
	p := min(b.First, b.Most)
	for i := 1; i < n && p < b.Most; i++ {
		p = min(2*p, b.Most)
	}
	return p/2 + rand.N(p)
}
