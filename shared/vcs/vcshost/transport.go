package vcshost

import (
	"math/rand/v2"
	"net/http"
	"time"
)

// answerTime is the maximum time until a host's response begins. Three attempts fit
// into the 25 seconds that the gateway gives to the functions that ask hosts.
const answerTime = 7500 * time.Millisecond

// Transport returns a transport to the host at an address, Confined to its origin.
// It repeats a read that failed at the host or on the way: at most twice, each time
// after a random pause. It repeats no other request. It also does not repeat a read
// if the host says when to ask again. If a refusal is a page for browsers, it
// returns a BrowserPage.
func Transport(address string) http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = answerTime
	return Confined(address, noPages{&repeating{t}})
}

// repeating repeats reads.
type repeating struct{ next http.RoundTripper }

const (
	// attempts is the maximum number of times that a read is sent.
	attempts = 3
	// basePause is half of the longest pause before the second attempt.
	basePause = 300 * time.Millisecond
)

// RoundTrip implements http.RoundTripper.
func (p *repeating) RoundTrip(r *http.Request) (*http.Response, error) {
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
		case <-time.After(rand.N(basePause << attempt)):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}
