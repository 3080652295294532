package load

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/apiclient"
)

// now is a clock on which waiting takes no time.
type now struct{}

func (now) Now() time.Time                                  { return time.Now() }
func (now) Wait(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// clientOf returns a client that has a token of a server.
func clientOf(url string, l *ledger) *client {
	c := newClient(url, "key", apiclient.NewHTTPClient(1), l)
	c.Clock = now{}
	c.Tokens = apiclient.NewTokens(func(context.Context) (string, error) { return "token", nil }, nil)
	return c
}

// play returns a client of a server that sends the given responses in order.
func play(t *testing.T, answers ...http.HandlerFunc) *client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(answers) == 0 {
			http.Error(w, "no more answers", http.StatusTeapot)
			return
		}
		next := answers[0]
		answers = answers[1:]
		next(w, r)
	}))
	t.Cleanup(server.Close)
	return clientOf(server.URL, newLedger())
}

func says(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestRefusalsForLoadAreRepeatedAndNoted(t *testing.T) {
	t.Parallel()
	for id, uncertain := range map[string]bool{
		"TOO_MANY_REQUESTS": false, "UNAVAILABLE": false, "CONTENDED": false, "NO_ANSWER": true, "OUTCOME_UNKNOWN": true,
	} {
		c := play(t, says(503, `{"id":"`+id+`"}`, "Retry-After", "1"), says(200, "done"))
		a, err := c.do(t.Context(), "set", "PUT", "/x", []byte("{}"))
		if err != nil || string(a.Body) != "done" || a.Uncertain != uncertain {
			t.Errorf("%s: got %v, uncertain %t, %v; want done, uncertain %t", id, a, a.Uncertain, err, uncertain)
		}
		if done, _, refused := c.ledger.totals(); done != 1 || refused != 1 {
			t.Errorf("%s: noted %d done and %d refused, want 1 and 1", id, done, refused)
		}
	}
}

func TestAnswersThatBreakThePromiseOfComingBackAreErrors(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"no id":           says(503, "", "Retry-After", "1"),
		"no Retry-After":  says(503, `{"id":"NO_ANSWER"}`),
		"a date":          says(429, `{"id":"TOO_MANY_REQUESTS"}`, "Retry-After", "Tue, 24 Nov 2026 00:00:00 GMT"),
		"no time to wait": says(429, `{"id":"TOO_MANY_REQUESTS"}`, "Retry-After", "0"),
		"a bad gateway":   says(502, ""),
		"a slow gateway":  says(504, ""),
	} {
		c := play(t, answer)
		if a, err := c.do(t.Context(), "get", "GET", "/x", nil); err == nil {
			t.Errorf("%s: got %v and no error", name, a)
		}
	}
}
