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
	// Attempts is the largest number of times that a request is sent. After a 403,
	// the repetition with a fresh token starts a new count.
	Attempts int
	// LongestWait is the longest time to wait before a repetition. If the server
	// asks for more, the request is not repeated.
	LongestWait time.Duration
}

// DefaultRetry is for a program that a person waits for.
var DefaultRetry = Retry{Attempts: 5, LongestWait: 30 * time.Second}

// firstWait is the time before the first repetition if the server does not say how
// long to wait. It doubles with every further repetition.
const firstWait = 500 * time.Millisecond

// The ids of the errors that do not say whether a write has taken effect.
const (
	idOutcomeUnknown = "OUTCOME_UNKNOWN"
	idNoAnswer       = "NO_ANSWER"
)

// effect is what a response says about the request's effect.
type effect int

const (
	final    effect = iota // a repetition would not change the response
	none                   // nothing has happened, and a later attempt may succeed
	possible               // nobody knows whether it happened
)

// effectOf returns what a response says about its request's effect.
//
//   - 429: the gateway or a limit refused the request before it did anything.
//   - 503 with an id of the API: nothing has happened, unless the id says that
//     the outcome is unknown.
//   - 503 without an id, 502 and 504: a part between the client and the API
//     responded in place of the API.
//   - 500 is a fault of the server: a repetition would fail again.
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

// repeat sends a request until there is a response that is final or that must not
// be repeated. If a connection breaks, the request ends: nobody knows how far it
// came, and the caller should look before it sends the request again.
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
		// Add a random time: requests that were refused together must not come back
		// together.
		if err := c.clock().Wait(ctx, pause+rand.N(pause)); err != nil {
			return Response{}, err
		}
		uncertain = uncertain || happened == possible
	}
}

// pauseBefore returns the least time to wait after an attempt. It is what the
// header Retry-After says in seconds (RFC 9110, section 10.2.3; the API sends no
// dates). Without that header, it is a time that doubles with every attempt.
func pauseBefore(sent int, r Response) time.Duration {
	if seconds, err := strconv.Atoi(r.Header.Get("Retry-After")); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	return firstWait << min(sent-1, 10)
}
