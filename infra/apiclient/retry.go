package apiclient

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Retry says how often and how long a request is repeated.
type Retry struct {
	// Attempts is how often a request is sent at most. The repetition with a
	// fresh token, after a 403, begins to count anew.
	Attempts int
	// LongestWait is the longest time to wait before a repetition. If the server
	// asks for more, the request is not repeated.
	LongestWait time.Duration
}

// DefaultRetry is for a program that a person waits for.
var DefaultRetry = Retry{Attempts: 5, LongestWait: 30 * time.Second}

// firstWait is the time before the first repetition if the server does not say
// how long to wait. It doubles with every further one.
const firstWait = 500 * time.Millisecond

// The ids of the errors that do not say whether a write has taken effect.
const (
	idOutcomeUnknown = "OUTCOME_UNKNOWN"
	idNoAnswer       = "NO_ANSWER"
)

// effect is what an answer says of the request's effect.
type effect int

const (
	final    effect = iota // the answer is the last word
	none                   // nothing has happened, and a later attempt may succeed
	possible               // nobody knows whether it happened
)

// effectOf returns what an answer says of its request's effect.
//
//   - 429: the gateway or a limit refused the request before it did anything.
//   - 503 with an id of the API: nothing has happened, unless the id says that
//     the outcome is unknown.
//   - 503 without an id, 502 and 504: a part between the client and the API has
//     answered in the API's place.
//   - 500 is a fault of the server's: a repetition would meet it again.
func effectOf(r Response) effect {
	switch r.Status {
	case http.StatusTooManyRequests:
		return none
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return possible
	case http.StatusServiceUnavailable:
		switch r.ID() {
		case "", idOutcomeUnknown, idNoAnswer:
			return possible
		}
		return none
	}
	return final
}

// repeat sends a request until there is an answer that is final or that must
// not be repeated. A connection that breaks ends a request: nobody knows how
// far it came, and whoever sends it again should look first.
func (c *Client) repeat(ctx context.Context, r Request, credential string) (Response, error) {
	safe := r.Repeatable || r.Method == http.MethodGet || r.Method == http.MethodHead
	uncertain := false
	for sent := 1; ; sent++ {
		resp, err := c.attempt(ctx, r, credential)
		if err != nil {
			return Response{}, err
		}
		resp.Uncertain = uncertain
		happened := effectOf(resp)
		if happened == final || happened == possible && !safe || sent >= c.Retry.Attempts {
			return resp, nil
		}
		pause := pauseBefore(sent, resp)
		if pause > c.Retry.LongestWait {
			return resp, nil
		}
		// Some more, drawn at random: requests that were refused together must not
		// come back together.
		if err := c.clock().Wait(ctx, pause+rand.N(pause)); err != nil {
			return Response{}, err
		}
		uncertain = uncertain || happened == possible
	}
}

// pauseBefore returns how long to wait at least after an attempt: what the
// header Retry-After says in seconds (RFC 9110, section 10.2.3; the API sends
// no dates), else a time that doubles with every attempt.
func pauseBefore(sent int, r Response) time.Duration {
	if seconds, err := strconv.Atoi(r.Header.Get("Retry-After")); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	return firstWait << min(sent-1, 10)
}
