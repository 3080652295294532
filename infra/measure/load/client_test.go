package load

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// script is a server that answers requests in order, and remembers what came.
type script struct {
	*httptest.Server
	answers []func(http.ResponseWriter)
	came    []string
}

func play(t *testing.T, answers ...func(http.ResponseWriter)) (*script, *client) {
	t.Helper()
	s := &script{answers: answers}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.came = append(s.came, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
		if len(s.answers) == 0 {
			http.Error(w, "no more answers", http.StatusTeapot)
			return
		}
		next := s.answers[0]
		s.answers = s.answers[1:]
		next(w)
	}))
	t.Cleanup(s.Close)
	return s, newClient(s.URL, "key", http.DefaultTransport, newLedger())
}

func says(status int, body string, headers ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestClientRefreshesOnceOn403AndRepeats(t *testing.T) {
	t.Parallel()
	s, c := play(t, says(200, `{"token":"one"}`), says(403, ""), says(200, `{"token":"two"}`), says(200, "done"))
	a, err := c.do(t.Context(), "get", "GET", "/x", nil)
	if err != nil || string(a.body) != "done" {
		t.Fatalf("got %v, %v", a, err)
	}
	want := []string{"POST /api/v1/access-token/refresh Bearer key", "GET /x Bearer one", "POST /api/v1/access-token/refresh Bearer key", "GET /x Bearer two"}
	if !slices.Equal(s.came, want) {
		t.Errorf("got requests %q, want %q", s.came, want)
	}
	_, c = play(t, says(200, `{"token":"one"}`), says(403, ""), says(200, `{"token":"two"}`), says(403, ""))
	if a, err = c.do(t.Context(), "get", "GET", "/x", nil); err != nil || a.status != 403 {
		t.Errorf("refused twice: got %v, %v, want the 403", a, err)
	}
}

func TestClientComesBackAsItIsToldAndKnowsWhenAWriteMayHaveHappened(t *testing.T) {
	t.Parallel()
	for id, unsure := range map[string]bool{
		"TOO_MANY_REQUESTS": false, "UNAVAILABLE": false, "CONTENDED": false, "NO_ANSWER": true, "OUTCOME_UNKNOWN": true,
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			_, c := play(t, says(503, `{"id":"`+id+`"}`, "Retry-After", "1"), says(200, "done"))
			c.token = "one"
			began := time.Now()
			a, err := c.do(t.Context(), "set", "PUT", "/x", []byte("{}"))
			if err != nil || string(a.body) != "done" || a.unsure != unsure {
				t.Errorf("got %v, unsure %t, %v; want done, unsure %t", a, a.unsure, err, unsure)
			}
			if waited := time.Since(began); waited < time.Second {
				t.Errorf("came back after %v, want the second that it was told", waited)
			}
			if done, _, refused := c.ledger.totals(); done != 1 || refused != 1 {
				t.Errorf("noted %d done and %d refused, want 1 and 1", done, refused)
			}
		})
	}
}

func TestAnswersThatBreakThePromiseOfComingBackAreErrors(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(http.ResponseWriter){
		"no id":           says(503, "", "Retry-After", "1"),
		"no Retry-After":  says(503, `{"id":"NO_ANSWER"}`),
		"a date":          says(429, `{"id":"TOO_MANY_REQUESTS"}`, "Retry-After", "Tue, 24 Nov 2026 00:00:00 GMT"),
		"no time to wait": says(429, `{"id":"TOO_MANY_REQUESTS"}`, "Retry-After", "0"),
		"an answer cut short": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "short")
		},
	} {
		_, c := play(t, answer)
		c.token = "one"
		if a, err := c.do(t.Context(), "get", "GET", "/x", nil); err == nil {
			t.Errorf("%s: got %v and no error", name, a)
		}
	}
	_, c := play(t, says(503, `{"id":"NO_ANSWER"}`, "Retry-After", "60"))
	c.token = "one"
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.do(ctx, "get", "GET", "/x", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("time over while waiting: got %v", err)
	}
}

func TestServerErrorsAreAnsweredNotRepeated(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 404, 500, 502, 504} {
		s, c := play(t, says(status, ""))
		c.token = "one"
		a, err := c.do(t.Context(), "get", "GET", "/x", nil)
		if err != nil || a.status != status || len(s.came) != 1 {
			t.Errorf("got %v, %v after %d requests; want %d after one", a, err, len(s.came), status)
		}
		if err := a.want(200); err == nil || !strings.Contains(err.Error(), "want 200") {
			t.Errorf("got %v", err)
		}
	}
}
