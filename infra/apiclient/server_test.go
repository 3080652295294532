package apiclient_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/apiclient"
)

const (
	apiKey   = "key"
	exchange = "POST /api/v1/access-token/refresh Bearer " + apiKey
)

// answer writes a response of the server.
type answer func(http.ResponseWriter)

// says returns a response with a status, a body, and pairs of a header and its
// value.
func says(status int, body string, headers ...string) answer {
	return func(w http.ResponseWriter) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Add(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// server is a server that sends the responses of a script in their order. For the
// API key it sends tokens t1, t2 and so on.
type server struct {
	*httptest.Server

	mu       sync.Mutex
	script   []answer
	came     []string // method, path with query, and credential
	tokens   int
	exchange answer // if set, the response to the exchange
}

func serve(t *testing.T, script ...answer) *server {
	t.Helper()
	s := &server{script: script}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.next(r)(w)
}

func (s *server) next(r *http.Request) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	request := r.Method + " " + r.URL.RequestURI() + " " + r.Header.Get("Authorization")
	s.came = append(s.came, request)
	if request == exchange {
		if s.exchange != nil {
			return s.exchange
		}
		s.tokens++
		return says(http.StatusOK, fmt.Sprintf(`{"token":"t%d"}`, s.tokens))
	}
	if len(s.script) == 0 {
		return says(http.StatusTeapot, "the script has ended")
	}
	next := s.script[0]
	s.script = s.script[1:]
	return next
}

// exchangeWith sets the response to further exchanges.
func (s *server) exchangeWith(a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exchange = a
}

// requests returns the requests that have arrived.
func (s *server) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.came...)
}

// client returns a client of the server, with a clock that stands still.
func (s *server) client(t *testing.T) (*apiclient.Client, *clock) {
	t.Helper()
	c, now := apiclient.New(s.URL, apiKey, apiclient.NewHTTPClient(8)), &clock{now: time.Unix(1_000_000, 0)}
	c.Clock = now
	c.Tokens = apiclient.NewTokens(func(ctx context.Context) (string, error) { return c.Exchange(ctx, apiKey) }, now)
	return c, now
}

// clock is a clock that only the test and the waiting callers move.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	waits []time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Wait(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waits = append(c.waits, d)
	c.now = c.now.Add(d)
	return ctx.Err()
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func get(path string) apiclient.Request {
	return apiclient.Request{Method: http.MethodGet, Path: path}
}
