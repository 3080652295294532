package apiclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	// renewAge is the age at which a token that is in use is exchanged for the
	// next. A token lives 60 seconds.
	renewAge = 30 * time.Second
	// maxAge is the age from which a token is not used any more. The rest of its
	// minute is for the time that the request needs to arrive, and for clocks that
	// differ.
	maxAge = 55 * time.Second
	// failurePause is the time from a failed exchange to the next try, while there
	// is still a token to use.
	failurePause = 5 * time.Second
	// exchangePath is the route that accepts an API key and returns a token.
	exchangePath = "/api/v1/access-token/refresh"
	// ExchangeName is the name of the exchange in Attempt.
	ExchangeName = "refresh"
)

// Tokens keeps an access token of one API key. Several goroutines may use it.
//
// Only one goroutine at a time exchanges the key, for all that wait. A token that
// is in use is renewed before it ends, so that callers do not wait. A token that
// nobody uses is not renewed: it ends.
type Tokens struct {
	exchange func(context.Context) (string, error)
	clock    Clock

	mu      sync.Mutex
	token   string
	made    time.Time // when the exchange of token began
	failed  time.Time // when the last exchange failed
	running *pending  // the exchange that runs, or nil
}

// pending is an exchange that runs. Its result is ready when done is closed.
type pending struct {
	done  chan struct{}
	token string
	err   error
}

// NewTokens returns tokens that the function exchange gets for the API key. A nil
// clock means the system's clock.
func NewTokens(exchange func(context.Context) (string, error), clock Clock) *Tokens {
	if clock == nil {
		clock = systemClock{}
	}
	return &Tokens{exchange: exchange, clock: clock}
}

// Token returns a token that is valid for some more time. It waits only if there is
// none.
func (t *Tokens) Token(ctx context.Context) (string, error) {
	t.mu.Lock()
	now := t.clock.Now()
	token, age := t.token, now.Sub(t.made)
	if token != "" && age < maxAge {
		if age >= renewAge && now.Sub(t.failed) >= failurePause {
			t.start(ctx)
		}
		t.mu.Unlock()
		return token, nil
	}
	running := t.start(ctx)
	t.mu.Unlock()
	return running.wait(ctx)
}

// Replace returns a token other than the one that the API refused.
func (t *Tokens) Replace(ctx context.Context, refused string) (string, error) {
	t.mu.Lock()
	if t.token == refused {
		t.token = ""
	}
	t.mu.Unlock()
	return t.Token(ctx)
}

// start starts an exchange, unless one runs already, and returns it. The caller
// holds the lock. The exchange is for all that wait for it. So it does not end with
// the context of the first caller; the timeout of the HTTP client limits it.
func (t *Tokens) start(ctx context.Context) *pending {
	if t.running != nil {
		return t.running
	}
	running, began := &pending{done: make(chan struct{})}, t.clock.Now()
	t.running = running
	go func() {
		running.token, running.err = t.exchange(context.WithoutCancel(ctx))
		t.mu.Lock()
		defer t.mu.Unlock()
		t.running = nil
		if running.err == nil {
			t.token, t.made = running.token, began
		} else {
			t.failed = t.clock.Now()
		}
		close(running.done)
	}()
	return running
}

func (p *pending) wait(ctx context.Context) (string, error) {
	select {
	case <-p.done:
		return p.token, p.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// Exchange exchanges an API key for an access token. It repeats the exchange as
// Retry says, because an exchange changes nothing. The error is an *Error if the
// API refused the exchange.
func (c *Client) Exchange(ctx context.Context, key string) (string, error) {
	resp, err := c.repeat(ctx, Request{Name: ExchangeName, Method: http.MethodPost, Path: exchangePath, Repeatable: true}, key)
	if err == nil {
		err = resp.Want(http.StatusOK)
	}
	var body struct{ Token string }
	// An error that quotes the body would show a token.
	if err == nil && (resp.Decode(&body) != nil || body.Token == "") {
		err = errors.New("the response has no token that can be read")
	}
	if err != nil {
		return "", fmt.Errorf("exchange the API key: %w", err)
	}
	return body.Token, nil
}
