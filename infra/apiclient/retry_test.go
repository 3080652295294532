package apiclient_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/apiclient"
)

func TestRequestIsRepeatedOnlyWhereThatIsSafe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		method     string
		repeatable bool
		status     int
		id         string
		repeated   bool
		uncertain  bool
	}{
		{"a write that was refused", "PUT", false, 429, "TOO_MANY_REQUESTS", true, false},
		{"a write that did nothing", "POST", false, 503, "CONTENDED", true, false},
		{"a write that may have taken effect", "PUT", false, 503, "OUTCOME_UNKNOWN", false, false},
		{"a write without an answer", "DELETE", false, 503, "NO_ANSWER", false, false},
		{"a write that a proxy answered", "POST", false, 503, "", false, false},
		{"a write behind a bad gateway", "PUT", false, 502, "", false, false},
		{"a repeatable write that may have taken effect", "PUT", true, 503, "OUTCOME_UNKNOWN", true, true},
		{"a repeatable write that did nothing", "PUT", true, 503, "UNAVAILABLE", true, false},
		{"a read without an answer", "GET", false, 503, "NO_ANSWER", true, true},
		{"a read behind a slow gateway", "GET", false, 504, "", true, true},
		{"a read that failed", "GET", false, 500, "", false, false},
		{"a read of nothing", "GET", false, 404, "", false, false},
		{"a bad request", "PUT", true, 400, "UNKNOWN_MEMBER", false, false},
		{"a success", "PUT", true, 201, "", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			body := ""
			if c.id != "" {
				body = `{"id":"` + c.id + `"}`
			}
			s := serve(t, says(c.status, body, "Retry-After", "1"), says(200, "done"))
			client, _ := s.client(t)
			resp, err := client.Do(t.Context(), apiclient.Request{Method: c.method, Path: "/x", Repeatable: c.repeatable})
			if err != nil {
				t.Fatal(err)
			}
			if got := string(resp.Body) == "done"; got != c.repeated {
				t.Errorf("got repeated %t (%v), want %t", got, resp, c.repeated)
			}
			if resp.Uncertain != c.uncertain {
				t.Errorf("got uncertain %t, want %t", resp.Uncertain, c.uncertain)
			}
		})
	}
}

func TestRepetitionWaitsAsLongAsTheServerSaysAndSomeMore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header []string
		least  []time.Duration
	}{
		"seconds":   {[]string{"Retry-After", "3"}, []time.Duration{3 * time.Second, 3 * time.Second}},
		"no header": {nil, []time.Duration{500 * time.Millisecond, time.Second}},
		"a date":    {[]string{"Retry-After", "Tue, 24 Nov 2026 00:00:00 GMT"}, []time.Duration{500 * time.Millisecond, time.Second}},
		"nothing":   {[]string{"Retry-After", "0"}, []time.Duration{500 * time.Millisecond, time.Second}},
	} {
		refusal := says(503, `{"id":"UNAVAILABLE"}`, c.header...)
		s := serve(t, refusal, refusal, says(200, "done"))
		client, now := s.client(t)
		if resp, err := client.Do(t.Context(), get("/x")); err != nil || resp.Status != 200 {
			t.Fatalf("%s: got %v, %v", name, resp, err)
		}
		if len(now.waits) != len(c.least) {
			t.Fatalf("%s: got waits %v, want %d", name, now.waits, len(c.least))
		}
		for i, least := range c.least {
			if now.waits[i] < least || now.waits[i] >= 2*least {
				t.Errorf("%s: got wait %d of %v, want from %v to twice that", name, i, now.waits[i], least)
			}
		}
	}
}

func TestRepetitionsAreBounded(t *testing.T) {
	t.Parallel()
	var script []answer
	for range 10 {
		script = append(script, says(429, `{"id":"TOO_MANY_REQUESTS"}`, "Retry-After", "1"))
	}
	s := serve(t, script...)
	c, _ := s.client(t)
	if resp, err := c.Do(t.Context(), get("/x")); err != nil || resp.Status != 429 {
		t.Fatalf("got %v, %v, want the 429", resp, err)
	}
	if got := len(s.requests()) - 1; got != apiclient.DefaultRetry.Attempts {
		t.Errorf("got %d attempts, want %d", got, apiclient.DefaultRetry.Attempts)
	}
	s = serve(t, says(429, `{"id":"TOO_MANY_NEW_KEYS"}`, "Retry-After", strconv.Itoa(600)))
	c, now := s.client(t)
	if resp, err := c.Do(t.Context(), get("/x")); err != nil || resp.Status != 429 || len(now.waits) != 0 {
		t.Fatalf("ten minutes to wait: got %v, %v after waits %v, want the 429 at once", resp, err, now.waits)
	}
}

func TestWaitEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := serve(t, says(503, `{"id":"UNAVAILABLE"}`, "Retry-After", "30"))
	c := apiclient.New(s.URL, apiKey, apiclient.NewHTTPClient(1))
	c.Tokens = nil
	c.Inspect = func(apiclient.Attempt) error { cancel(); return nil }
	if resp, err := c.Do(ctx, get("/x")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v, want context.Canceled", resp, err)
	}
}

func TestInspectSeesEveryAttemptAndCanEndTheRequest(t *testing.T) {
	t.Parallel()
	s := serve(t, says(503, `{"id":"UNAVAILABLE"}`, "Retry-After", "1"), says(200, ""), says(503, "", "Retry-After", "1"))
	c, _ := s.client(t)
	var names []string
	broken := errors.New("an error needs an id")
	c.Inspect = func(a apiclient.Attempt) error {
		names = append(names, a.Name+" "+strconv.Itoa(a.Response.Status))
		if a.Response.Status == 503 && a.Response.ID() == "" {
			return broken
		}
		return nil
	}
	r := apiclient.Request{Name: "read", Method: http.MethodGet, Path: "/x"}
	if _, err := c.Do(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if want := []string{"refresh 200", "read 503", "read 200"}; !slices.Equal(names, want) {
		t.Errorf("got attempts %q, want %q", names, want)
	}
	if _, err := c.Do(t.Context(), r); !errors.Is(err, broken) {
		t.Errorf("got %v, want the error of Inspect", err)
	}
}
