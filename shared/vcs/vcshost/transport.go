package vcshost

import (
	"math/rand/v2"
	"net/http"
	"time"
)

// answerTime is how long a host may take to begin its answer: three attempts fit
// into what the gateway gives the functions that ask hosts (25 seconds).
const answerTime = 7500 * time.Millisecond

// Transport is a transport to the host at an address, Confined to its origin. It
// repeats reads which failed at the host or on the way: at most twice, after a
// drawn pause. Nothing else is repeated, and nothing where the host says when to
// ask again. A refusal that is a page for browsers is a Page, and no answer.
func Transport(address string) http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = answerTime
	return Confined(address, apis{&patient{t}})
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
		failed := err != nil || answer.StatusCode >= http.StatusInternalServerError && answer.Header.Get("Retry-After") == ""
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
