//go:build unix

package journey

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Client uses the API with access tokens of one API key. It may be used by
// several goroutines.
type Client struct {
	// Key is the API key.
	Key string

	stack  *Stack
	mu     sync.Mutex
	token  string
	minted time.Time
}

// Client makes a client that holds an API key.
func (s *Stack) Client(key string) *Client { return &Client{Key: key, stack: s} }

// renewAfter leaves a token half of its minute.
const renewAfter = 30 * time.Second

// Bearer is the Authorization header with a credential.
func Bearer(credential string) string { return "Bearer " + credential }

// Refresh exchanges the API key for a fresh access token.
func (c *Client) Refresh() (string, error) {
	resp, err := c.stack.Try(Request{Method: http.MethodPost, Target: "/api/v1/access-token/refresh", Authorization: Bearer(c.Key)})
	if err != nil {
		return "", err
	}
	var answer struct{ Token string }
	if resp.Status != http.StatusOK {
		return "", fmt.Errorf("got %v, want 200", resp)
	}
	if err := json.Unmarshal(resp.Body, &answer); err != nil {
		return "", err
	}
	return answer.Token, nil
}

// Current answers an access token with some time left.
func (c *Client) Current() (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != "" && time.Since(c.minted) < renewAfter {
		return c.token, nil
	}
	var err error
	c.minted = time.Now()
	c.token, err = c.Refresh()
	return c.token, err
}

// Token answers an access token with some time left.
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

// Do sends a request with an access token and checks the answer against the
// API document.
func (c *Client) Do(t testing.TB, method, target, body string) Response {
	t.Helper()
	resp, err := c.Try(method, target, body)
	if err != nil {
		t.Fatalf("%s %.200s: %v", method, target, err)
	}
	resp.Validate(t)
	return resp
}
