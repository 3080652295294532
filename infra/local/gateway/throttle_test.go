//go:build unix

package gateway

import (
	"net/http"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/template"
)

func TestLimitAdmitsABurstAndThenItsRate(t *testing.T) {
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	l := &limit{rate: 2, burst: 3, left: 3, at: start}
	for _, c := range []struct {
		at   time.Duration
		want bool
	}{
		{0, true},
		{0, true},
		{0, true},
		{0, false},
		{499 * time.Millisecond, false},
		{500 * time.Millisecond, true},
		{500 * time.Millisecond, false},
		{0, false}, // the clock values of two requests may arrive in the wrong order
		{time.Hour, true},
		{time.Hour, true},
		{time.Hour, true},
		{time.Hour, false},
	} {
		if got := l.admits(start.Add(c.at)); got != c.want {
			t.Errorf("after %v: got %t, want %t", c.at, got, c.want)
		}
	}
}

// everyMethod is a limit that admits only its burst.
func everyMethod(burst int) template.MethodSetting {
	return template.MethodSetting{Path: "*", Method: "*", RateLimit: 1e-9, BurstLimit: burst}
}

func TestEachMethodHasItsOwnLimitAndOnlyWhenThrottling(t *testing.T) {
	ok := func(map[string]any) (string, error) { return `{"statusCode": 200}`, nil }
	s := serve(t, allowStage, ok)
	s.gateway.api.MethodSettings = []template.MethodSetting{
		everyMethod(2),
		{Path: "/open", Method: "POST", RateLimit: 1e-9, BurstLimit: 1},
	}
	count := func(method, target, headers string) (admitted int) {
		for range 4 {
			response, body := s.raw(t, method, target, headers, "{}")
			switch response.StatusCode {
			case http.StatusOK:
				admitted++
			case http.StatusTooManyRequests:
				if response.Header.Get("Retry-After") == "" || body == "" {
					t.Errorf("%s %s: got 429 with Retry-After %q and body %q", method, target, response.Header.Get("Retry-After"), body)
				}
			default:
				t.Errorf("%s %s: got %d", method, target, response.StatusCode)
			}
		}
		return admitted
	}
	if got := count("GET", "/open", ""); got != 4 {
		t.Errorf("before throttling: got %d of 4 admitted", got)
	}
	s.gateway.Throttle()
	for _, c := range []struct {
		method, target, headers string
		want                    int
	}{
		{"GET", "/open", "", 2},
		{"POST", "/open", "", 1},
		{"GET", "/kv/1/key/a", credential, 2},
		{"GET", "/kv/2/key/b", credential, 0}, // the same method of the same path
		{"PUT", "/kv/1/key/a", credential, 2},
	} {
		if got := count(c.method, c.target, c.headers); got != c.want {
			t.Errorf("%s %s: got %d of 4 admitted, want %d", c.method, c.target, got, c.want)
		}
	}
}
