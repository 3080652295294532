// Package apiclient is a client of the API over HTTP. It exchanges an API key for
// access tokens, repeats requests if that is safe, follows the pages of a list, and
// sends files to the addresses that the API signs.
//
// It has three levels. Send makes one attempt of one request and knows nothing
// about credentials. Tokens keeps an access token fresh. Client combines the two
// and repeats requests. A caller that must see every response, such as a test, uses
// only Send and Tokens.
//
// The rules come from docs/guide-tokens.md. The API sends 403 without a body for a
// token that has ended (never 401). It sends 429 or 503 with the header Retry-After
// for a request that may be sent again.
package apiclient

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"time"
)

// Client uses the API of one server with one API key. Its fields must not be
// changed after its first request. From then on several goroutines may use it.
type Client struct {
	// BaseURL is the server's address, without a trailing slash.
	BaseURL string
	// HTTP sends the requests. It must not follow redirects: see NewHTTPClient.
	HTTP *http.Client
	// Tokens provides the access tokens. If it is nil, requests carry no
	// credential.
	Tokens *Tokens
	// Retry says how often and how long a request is repeated.
	Retry Retry
	// Inspect, if it is not nil, is called with every attempt that got a response,
	// before the client decides whether to repeat it. Its error ends the request.
	Inspect func(Attempt) error
	// Clock is the clock with which the client waits. Nil means the system's clock.
	Clock Clock
}

// New returns a client with an API key. It repeats requests as DefaultRetry says.
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
	// Header holds further headers, such as Idempotency-Key. It may be nil.
	Header http.Header
	// Repeatable says that the request may be repeated even if an earlier attempt
	// may have taken effect. Either a second time does no harm, or the caller looks
	// at Response.Uncertain. Requests with the methods GET and HEAD may always be
	// repeated.
	Repeatable bool
}

// Attempt is one attempt of a request, and its response.
type Attempt struct {
	// Name is the name of the request. It is ExchangeName for the exchange of the
	// key.
	Name string
	// Took is the time from the start of the attempt to the end of its response.
	Took time.Duration
	// Response is the response.
	Response Response
}

// Do sends a request with an access token, and repeats it if Retry allows it. After
// a 403 it sends the request once more, with a fresh token. It returns the last
// response, whatever its status. The error says why there is no response. It is an
// *Error if the API refused the exchange of the key.
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

// attempt sends a request once, with a credential. The credential may be empty.
func (c *Client) attempt(ctx context.Context, r Request, credential string) (Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, c.BaseURL+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return Response{}, err
	}
	maps.Copy(req.Header, r.Header)
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
