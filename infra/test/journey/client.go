//go:build unix

package journey

import (
	"context"
	"sync"
	"testing"

	"github.com/opsplane/opsplane/infra/apiclient"
)

// Client uses the API with access tokens of one API key. It sends every request once, so that a
// test sees every response. Several goroutines may use it.
type Client struct {
	// Key is the API key.
	Key string

	stack  *Stack
	mu     sync.Mutex
	url    string // the address at which keys are exchanged for tokens
	tokens *apiclient.Tokens
}

// Client returns a client that uses an API key.
func (s *Stack) Client(key string) *Client { return &Client{Key: key, stack: s} }

// Bearer returns the value of the header Authorization for a credential.
func Bearer(credential string) string { return apiclient.Bearer(credential) }

// Refresh exchanges the API key for a new access token.
func (c *Client) Refresh() (string, error) { return c.exchange(context.Background(), c.stack.URL) }

func (c *Client) exchange(ctx context.Context, url string) (string, error) {
	once := apiclient.Client{BaseURL: url, HTTP: c.stack.http}
	return once.Exchange(ctx, c.Key)
}

// Current returns an access token that does not expire at once.
func (c *Client) Current() (string, error) {
	c.mu.Lock()
	// After a restart the stack serves at another address.
	if url := c.stack.URL; c.tokens == nil || c.url != url {
		c.url = url
		c.tokens = apiclient.NewTokens(func(ctx context.Context) (string, error) { return c.exchange(ctx, url) }, nil)
	}
	tokens := c.tokens
	c.mu.Unlock()
	return tokens.Token(context.Background())
}

// Token returns an access token that does not expire at once.
func (c *Client) Token(t testing.TB) string {
	t.Helper()
	token, err := c.Current()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Try sends a request with an access token.
func (c *Client) Try(method, target, body string) (Response, error) {
	token, err := c.Current()
	if err != nil {
		return Response{}, err
	}
	return c.stack.Try(Request{Method: method, Target: target, Authorization: Bearer(token), Body: body})
}

// Do sends a request with an access token and checks the response against the API document.
func (c *Client) Do(t testing.TB, method, target, body string) Response {
	t.Helper()
	resp, err := c.Try(method, target, body)
	if err != nil {
		t.Fatalf("%s %.200s: %v", method, target, err)
	}
	resp.Validate(t)
	return resp
}
