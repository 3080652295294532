package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/opsplane/opsplane/infra/apiclient"
)

// installation is the path of the key-value store that holds the records of all connections. It
// belongs to the installation that the first key of a new stack may use.
const installation = "/api/v1/github/kv/1/"

// patient repeats a request as long as the stack refuses it because of load, since this package
// itself makes the load.
var patient = apiclient.Retry{Attempts: 1000, LongestWait: 2 * time.Minute}

// client is the API client of one connection. It records every response.
type client struct {
	*apiclient.Client
	ledger *ledger
}

func newClient(base, key string, via *http.Client, l *ledger) *client {
	c := &client{Client: apiclient.New(base, key, via), ledger: l}
	c.Retry, c.Inspect = patient, c.note
	return c
}

// target returns the path of a key-value operation on a key.
func target(operation, key string) string {
	return installation + operation + "/" + url.PathEscape(key)
}

// do sends a request until it is no longer refused because of load. It repeats a write even if
// the write may have taken effect: Response.Uncertain reports that.
func (c *client) do(ctx context.Context, name, method, path string, body []byte) (apiclient.Response, error) {
	return c.Do(ctx, apiclient.Request{Name: name, Method: method, Path: path, Body: body, Repeatable: true})
}

// renew exchanges the API key for a new token.
func (c *client) renew(ctx context.Context) error {
	token, err := c.Tokens.Token(ctx)
	if err == nil {
		_, err = c.Tokens.Replace(ctx, token)
	}
	return err
}

// note records the time of a response, or its error id if the request was refused because of
// load. It returns an error if the response is wrong: a refusal because of load must have an id
// and say when to try again, and a failure of the server must have the status 500 or 503.
func (c *client) note(a apiclient.Attempt) error {
	status := a.Response.Status
	switch {
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
	case status > http.StatusInternalServerError:
		return a.Response.Want(http.StatusOK)
	default:
		c.ledger.done(a.Name, a.Took)
		return nil
	}
	id, after := a.Response.ID(), a.Response.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(after); err != nil || seconds < 1 || id == "" {
		return fmt.Errorf("got %v with Retry-After %q, want an id and the seconds to wait", a.Response, after)
	}
	c.ledger.refuse(id)
	return nil
}

// timed records the time of a request to the bucket, because such a request is not an attempt
// of the client.
func (c *client) timed(name string, send func() (apiclient.Response, error)) (apiclient.Response, error) {
	began := time.Now()
	resp, err := send()
	if err == nil && resp.Status != http.StatusServiceUnavailable {
		c.ledger.done(name, time.Since(began))
	}
	return resp, err
}

// hasArtifacts reports whether the stack's API has the routes of artifacts.
func hasArtifacts(ctx context.Context, base string) (bool, error) {
	anonymous := &apiclient.Client{BaseURL: base, HTTP: apiclient.NewHTTPClient(1)}
	a, err := anonymous.Do(ctx, apiclient.Request{Method: http.MethodGet, Path: "/api/v1/openapi.json"})
	if err != nil {
		return false, err
	}
	var document struct{ Paths map[string]any }
	if err := errors.Join(a.Want(http.StatusOK), a.Decode(&document)); err != nil {
		return false, err
	}
	for path := range document.Paths {
		if strings.Contains(path, "/artifact/key/") {
			return true, nil
		}
	}
	return false, nil
}
