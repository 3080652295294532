// Package vcshost is what the clients of VCS hosts have in common: the errors on
// which callers act, and how patient a request is.
package vcshost

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

// ErrGone says that the host knows no such thing, or shows it not to us.
var ErrGone = errors.New("the host knows no such thing, or does not show it")

// ErrRefused says that the host does not take the token.
var ErrRefused = errors.New("the host does not take the token")

// Limited says that the host takes no more requests for a while.
type Limited struct {
	// RetryAfter is how long to wait, at least a second.
	RetryAfter time.Duration
}

// Limit makes a Limited; a time that is over becomes a second.
func Limit(wait time.Duration) *Limited { return &Limited{RetryAfter: max(wait, time.Second)} }

// Error implements error.
func (l *Limited) Error() string {
	return fmt.Sprintf("the host takes no more requests for %s", l.RetryAfter.Round(time.Second))
}

// answerTime is how long a host may take to begin its answer: three attempts fit
// into what the gateway waits for a function.
const answerTime = 8 * time.Second

// Transport is a transport to hosts that repeats reads which failed at the host
// or on the way: at most twice, after a drawn pause. Nothing else is repeated.
func Transport() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = answerTime
	return &patient{t}
}

// patient repeats reads.
type patient struct{ next http.RoundTripper }

const (
	attempts = 3
	pause    = 300 * time.Millisecond
)

// RoundTrip implements http.RoundTripper.
func (p *patient) RoundTrip(r *http.Request) (*http.Response, error) {
	for attempt := 1; ; attempt++ {
		answer, err := p.next.RoundTrip(r)
		failed := err != nil || answer.StatusCode >= http.StatusInternalServerError
		if !failed || attempt == attempts || r.Method != http.MethodGet {
			return answer, err
		}
		if err == nil {
			_ = answer.Body.Close()
		}
		select {
		case <-time.After(rand.N(pause << attempt)):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}
