//go:build unix

package journey

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The stack of this test may run two instances of each function. The test uses far more
// connections than that, and far more exchanges than the stack admits.
const (
	crowd     = 64
	rounds    = 10 // requests of each connection
	exchanges = 100
)

// busy holds, by status, the error ids that say that a caller should try again.
var busy = map[int][]string{
	http.StatusTooManyRequests:    {"TOO_MANY_REQUESTS"},
	http.StatusServiceUnavailable: {"UNAVAILABLE", "NO_ANSWER", "CONTENDED", "THROTTLED"},
}

// wantBusy reports an error unless the response says, with a documented id, that the server is
// busy and when to try again. It returns the id.
func (r Response) wantBusy(t *testing.T) string {
	t.Helper()
	var p problem
	err := json.Unmarshal(r.Body, &p)
	for _, id := range busy[r.Status] {
		if err == nil && p.ID == id {
			if wait, err := strconv.Atoi(r.Header.Get("Retry-After")); err != nil || wait < 1 {
				t.Errorf("%v: got Retry-After %q, want seconds", r, r.Header.Get("Retry-After"))
			}
			return id
		}
	}
	t.Errorf("got %v, want success, or 429 or 503 with a documented id", r)
	return ""
}

// crush sends rounds of writes on every connection at once, each write to a key of its own, and
// returns the responses by key. A request that hangs fails with the client's timeout.
func crush(t *testing.T, c *Client, in Installation) map[string]Response {
	t.Helper()
	c.Token(t)
	body := `{"data":"` + strings.Repeat("x", 20<<10) + `"}`
	var mu sync.Mutex
	answers := map[string]Response{}
	start := make(chan struct{})
	var working sync.WaitGroup
	for connection := range crowd {
		working.Go(func() {
			<-start
			for round := range rounds {
				key := fmt.Sprintf("%d-%d", connection, round)
				resp, err := c.Try("PUT", in.Path("key", key), body)
				mu.Lock()
				if err != nil {
					t.Errorf("%s: no answer: %v", key, err)
				} else {
					answers[key] = resp
				}
				mu.Unlock()
			}
		})
	}
	close(start)
	working.Wait()
	return answers
}

func TestBeyondItsLimitsTheStackAnswersEveryRequestAndSaysWhenToComeBack(t *testing.T) {
	t.Parallel()
	s := Start(t, "INSTANCES=2", "THROTTLE=on", "PARAMETERS=RefreshRateLimit=1 RefreshBurstLimit=5")
	c, in := s.Client(s.APIKey), Installation{VCS: "github", ID: "1"}
	answers := crush(t, c, in)
	counts := map[string]int{}
	for _, resp := range answers {
		resp.Validate(t)
		if resp.Status == http.StatusOK {
			counts["done"]++
			continue
		}
		counts[resp.wantBusy(t)]++
	}
	t.Logf("answers of %d writes on %d connections: %v", crowd*rounds, crowd, counts)
	if counts["done"] == 0 || counts["UNAVAILABLE"]+counts["NO_ANSWER"] == 0 || len(answers) != crowd*rounds {
		t.Errorf("got %d answers, %v; want %d, some done and some refused", len(answers), counts, crowd*rounds)
	}
	// After the requests have ended, only the acknowledged writes exist.
	for key, resp := range answers {
		var p problem
		_ = json.Unmarshal(resp.Body, &p)
		got := c.Do(t, "GET", in.Path("key", key), "")
		switch {
		case resp.Status == http.StatusOK:
			got.Want(t, http.StatusOK)
		case p.ID == "UNAVAILABLE":
			got.Want(t, http.StatusNotFound)
		}
	}
}

func TestBeyondItsRateTheExchangeRefusesAndThenGoesOn(t *testing.T) {
	t.Parallel()
	s := Start(t, "THROTTLE=on", "PARAMETERS=RefreshRateLimit=1 RefreshBurstLimit=5")
	refresh := Request{Method: "POST", Target: "/api/v1/access-token/refresh", Authorization: Bearer(s.APIKey)}
	var mu sync.Mutex
	statuses := map[int]int{}
	var working sync.WaitGroup
	for range exchanges {
		working.Go(func() {
			resp, err := s.Try(refresh)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("no answer: %v", err)
				return
			}
			resp.Validate(t)
			if statuses[resp.Status]++; resp.Status != http.StatusOK {
				resp.wantBusy(t)
			}
		})
	}
	working.Wait()
	if statuses[http.StatusOK] < 5 || statuses[http.StatusTooManyRequests] == 0 {
		t.Errorf("got answers %v to %d exchanges, want the burst of 5 and some 429", statuses, exchanges)
	}
	resp, err := s.Try(refresh)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Status != http.StatusOK {
		resp.wantBusy(t)
		wait, err := strconv.Atoi(resp.Header.Get("Retry-After"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(wait) * time.Second) // as the response asks its caller to wait
	}
	s.Do(t, refresh).Want(t, http.StatusOK)
}

// The gateway also counts requests that the authorizer refuses. With the template's defaults,
// hundreds of them leave enough room for all other callers.
func TestRefusedExchangesShutNobodyOut(t *testing.T) {
	t.Parallel()
	s := Start(t, "THROTTLE=on")
	const refused = 420 // three seconds at 140 a second
	var sending sync.WaitGroup
	for range 20 {
		sending.Go(func() {
			for range refused / 20 {
				if resp, err := s.Try(Request{Method: "POST", Target: "/api/v1/access-token/refresh"}); err != nil || resp.Status != http.StatusForbidden {
					t.Errorf("got %v, %v; want a refusal", resp, err)
				}
			}
		})
	}
	for range 20 {
		s.Do(t, Request{Method: "POST", Target: "/api/v1/access-token/refresh", Authorization: Bearer(s.APIKey)}).Want(t, http.StatusOK)
	}
	sending.Wait()
}
