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
	// Tries is the maximum number of tries. 0 means no maximum.
	Tries int
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

// Next returns the time of the next try after n tries, the last of which failed now.
// It reports false if there is no next try.
func (b Backoff) Next(n int, now time.Time) (at time.Time, again bool) {
	if b.Tries > 0 && n >= b.Tries {
		return time.Time{}, false
	}
	return now.Add(b.Pause(n)).Truncate(time.Millisecond), true
}
