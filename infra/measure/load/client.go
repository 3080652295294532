package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// installation is where the records of all connections lie: the one that a
// new stack's first key may use.
const installation = "/api/v1/github/kv/1/"

// requestLimit ends a request that hangs. The gateway gives up after 29 s.
const requestLimit = 60 * time.Second

// client is one connection's way to the API. It is not safe for concurrent use.
type client struct {
	base, key string
	http      *http.Client
	ledger    *ledger
	token     string
}

func newClient(base, key string, transport http.RoundTripper, l *ledger) *client {
	return &client{base: base, key: key, ledger: l, http: &http.Client{
		Transport: transport, Timeout: requestLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is the last answer to a request, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
	// unsure reports that an earlier attempt of this request may have taken
	// effect.
	unsure bool
}

// problem is the body of an error.
type problem struct{ ID, Data string }

// read decodes the body.
func (a answer) read(v any) error {
	if err := json.Unmarshal(a.body, v); err != nil {
		return fmt.Errorf("%w: %v", err, a)
	}
	return nil
}

// String is the answer as a failure shows it.
func (a answer) String() string { return fmt.Sprintf("%d %.200q", a.status, a.body) }

// want is an error unless the answer has the status.
func (a answer) want(status int) error {
	if a.status != status {
		return fmt.Errorf("got %v, want %d", a, status)
	}
	return nil
}

// target is the path of a key-value operation on a key.
func target(operation, key string) string {
	return installation + operation + "/" + url.PathEscape(key)
}

// do sends a request as the guides tell clients to: with an access token that
// is kept until a 403, and again after a 429 or 503, as long as Retry-After
// says. The time from sending the last attempt to the end of its answer is
// noted under the operation's name.
func (c *client) do(ctx context.Context, name, method, path string, body []byte) (answer, error) {
	if c.token == "" {
		if err := c.refresh(ctx); err != nil {
			return answer{}, err
		}
	}
	unsure, refreshed := false, false
	for {
		a, err := c.attempt(ctx, name, method, c.base+path, c.token, body)
		switch {
		case err != nil:
			return answer{}, fmt.Errorf("%s: %w", name, err)
		case a.status == http.StatusForbidden && !refreshed:
			refreshed = true
			if err := c.refresh(ctx); err != nil {
				return answer{}, err
			}
			continue
		case a.status != http.StatusTooManyRequests && a.status != http.StatusServiceUnavailable:
			a.unsure = unsure
			return a, nil
		}
		again, err := c.wait(ctx, a)
		if err != nil {
			return answer{}, fmt.Errorf("%s: %w", name, err)
		}
		unsure = unsure || again
	}
}

// refresh exchanges the API key for a token.
func (c *client) refresh(ctx context.Context) error {
	for {
		a, err := c.attempt(ctx, "refresh", http.MethodPost, c.base+"/api/v1/access-token/refresh", c.key, nil)
		if err != nil {
			return fmt.Errorf("refresh: %w", err)
		}
		if a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable {
			if _, err := c.wait(ctx, a); err != nil {
				return fmt.Errorf("refresh: %w", err)
			}
			continue
		}
		var got struct{ Token string }
		if err := errors.Join(a.want(http.StatusOK), a.read(&got)); err != nil {
			return fmt.Errorf("refresh: %w", err)
		}
		c.token = got.Token
		return nil
	}
}

// wait does what a 429 or 503 asks for, and some more by chance, so that those
// who were refused together do not come back together. It reports whether the
// refused request may have taken effect.
func (c *client) wait(ctx context.Context, a answer) (unsure bool, err error) {
	var p problem
	if err := a.read(&p); err != nil || p.ID == "" {
		return false, fmt.Errorf("got %v, want an id", a)
	}
	seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
	if err != nil || seconds < 1 {
		return false, fmt.Errorf("got %v with Retry-After %q", a, a.header.Get("Retry-After"))
	}
	c.ledger.refuse(p.ID)
	pause := time.Duration(seconds) * time.Second
	select {
	case <-time.After(pause + rand.N(pause)):
	case <-ctx.Done():
		return false, ctx.Err()
	}
	return p.ID == "OUTCOME_UNKNOWN" || p.ID == "NO_ANSWER", nil
}

// attempt sends one request. A credential may be empty.
func (c *client) attempt(ctx context.Context, name, method, address, credential string, body []byte) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	if credential != "" {
		request.Header.Set("Authorization", "Bearer "+credential)
	}
	return c.send(name, request)
}

// send sends a request as it is, reads its answer, and notes its time unless
// it was refused for load.
func (c *client) send(name string, request *http.Request) (answer, error) {
	began := time.Now()
	response, err := c.http.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	a := answer{status: response.StatusCode, header: response.Header}
	if a.body, err = io.ReadAll(response.Body); err != nil {
		return answer{}, fmt.Errorf("read the answer: %w", err)
	}
	if a.status != http.StatusTooManyRequests && a.status != http.StatusServiceUnavailable {
		c.ledger.done(name, time.Since(began))
	}
	return a, nil
}

// hasArtifacts reports whether the stack's API has the routes of artifacts.
func hasArtifacts(ctx context.Context, base string) (bool, error) {
	a, err := newClient(base, "", http.DefaultTransport, newLedger()).attempt(ctx, "", http.MethodGet, base+"/api/v1/openapi.json", "", nil)
	if err != nil {
		return false, err
	}
	var document struct{ Paths map[string]any }
	if err := errors.Join(a.want(http.StatusOK), a.read(&document)); err != nil {
		return false, err
	}
	for path := range document.Paths {
		if strings.Contains(path, "/artifact/key/") {
			return true, nil
		}
	}
	return false, nil
}
