// Package apiclient is a client of the API over HTTP. It exchanges an API key
// for access tokens, repeats requests where that is safe, follows the pages of
// a list, and sends files to the addresses that the API signs.
//
// It has three levels. Send makes one attempt of one request and knows nothing
// of credentials. Tokens keeps an access token fresh. Client puts the two
// together and repeats requests. A caller that must see every answer, such as
// a test, uses Send and Tokens alone.
//
// The rules come from docs/guide-tokens.md: the API says 403 without a body to
// a token that has ended (never 401), and 429 or 503 with the header
// Retry-After to a request that may be sent again.
package apiclient

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"
)

// Client uses the API of one server with one API key. Its fields must not be
// changed after its first request; then several goroutines may use it.
type Client struct {
	// BaseURL is the server's address, without a trailing slash.
	BaseURL string
	// HTTP sends the requests. It must not follow redirects: see NewHTTPClient.
	HTTP *http.Client
	// Tokens has the access tokens. If it is nil, requests carry no credential.
	Tokens *Tokens
	// Retry says how often and how long a request is repeated.
	Retry Retry
	// Inspect, if it is not nil, is called with every attempt that got an
	// answer, before the client decides whether to repeat it. Its error ends
	// the request.
	Inspect func(Attempt) error
	// Clock is the clock that the client waits with; nil is the system's.
	Clock Clock
}

// New returns a client with an API key. Its requests are repeated as
// DefaultRetry says.
func New(baseURL, key string, via *http.Client) *Client {
	c := &Client{BaseURL: baseURL, HTTP: via, Retry: DefaultRetry}
	c.Tokens = NewTokens(func(ctx context.Context) (string, error) { return c.Exchange(ctx, key) }, nil)
	return c
}

// Request is a request to the API.
type Request struct {
	// Name is the name of the operation. Only Inspect reads it.
	Name string
	// Method is the HTTP method.
	Method string
	// Path is the escaped path with its query. It begins with a slash.
	Path string
	// Body is the JSON text to send; it may be empty.
	Body []byte
	// Repeatable reports that the request may be repeated even if an earlier
	// attempt may have taken effect, because a second time does no harm, or
	// because the caller looks at Response.Uncertain. Requests with the methods
	// GET and HEAD always may.
	Repeatable bool
}

// Attempt is one attempt of a request, and its answer.
type Attempt struct {
	// Name is that of the request; ExchangeName for the exchange of the key.
	Name string
	// Took is the time from the start of the attempt to the end of its answer.
	Took time.Duration
	// Response is the answer.
	Response Response
}

// Do sends a request with an access token, and repeats it where Retry allows
// it. After a 403 it sends the request once more, with a fresh token. It
// returns the last answer, whatever its status. The error says why there is no
// answer; it is an *Error if the API refused the exchange of the key.
func (c *Client) Do(ctx context.Context, r Request) (Response, error) {
	if c.Tokens == nil {
		return c.repeat(ctx, r, "")
	}
	token, err := c.Tokens.Token(ctx)
	if err != nil {
		return Response{}, err
	}
	resp, err := c.repeat(ctx, r, token)
	if err != nil || resp.Status != http.StatusForbidden {
		return resp, err
	}
	if token, err = c.Tokens.Replace(ctx, token); err != nil {
		return Response{}, err
	}
	again, err := c.repeat(ctx, r, token)
	again.Uncertain = again.Uncertain || resp.Uncertain
	return again, err
}

// attempt sends a request once, with a credential, which may be empty.
func (c *Client) attempt(ctx context.Context, r Request, credential string) (Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, c.BaseURL+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return Response{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	if credential != "" {
		req.Header.Set("Authorization", Bearer(credential))
	}
	began := c.clock().Now()
	resp, err := Send(c.HTTP, req)
	if err != nil {
		return Response{}, fmt.Errorf("%s %s: %w", r.Method, r.Path, err)
	}
	if c.Inspect != nil {
		err = c.Inspect(Attempt{Name: r.Name, Took: c.clock().Now().Sub(began), Response: resp})
	}
	return resp, err
}

func (c *Client) clock() Clock {
	if c.Clock == nil {
		return systemClock{}
	}
	return c.Clock
}

// Bearer returns the value of the header Authorization for a credential.
func Bearer(credential string) string { return "Bearer " + credential }
