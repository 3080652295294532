package vcshost_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func TestAnswersAreExplainedByStatusAndHeader(t *testing.T) {
	t.Parallel()
	const minute = time.Minute
	reset := strconv.FormatInt(time.Now().Add(90*time.Second).Unix(), 10)
	for name, c := range map[string]struct {
		status int
		header map[string]string
		is     error         // nil: a limit, or an error with the status
		wait   time.Duration // of a limit; it may differ by two seconds
	}{
		"missing":                        {404, nil, vcshost.ErrGone, 0},
		"missing for good":               {410, nil, vcshost.ErrGone, 0},
		"missing, and patience":          {404, map[string]string{"Retry-After": "30"}, vcshost.ErrGone, 0},
		"refused":                        {401, nil, vcshost.ErrRefused, 0},
		"forbidden":                      {403, nil, vcshost.ErrForbidden, 0},
		"forbidden within the limit":     {403, map[string]string{"X-RateLimit-Remaining": "4990", "X-RateLimit-Reset": reset}, vcshost.ErrForbidden, 0},
		"forbidden for seconds":          {403, map[string]string{"Retry-After": "30"}, nil, 30 * time.Second},
		"forbidden until a date":         {403, map[string]string{"Retry-After": time.Now().Add(minute).UTC().Format(http.TimeFormat)}, nil, minute},
		"forbidden, nothing remains":     {403, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}, nil, 90 * time.Second},
		"forbidden for a while":          {403, map[string]string{"Retry-After": "soon"}, nil, minute},
		"seconds before the reset":       {403, map[string]string{"Retry-After": "5", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}, nil, 5 * time.Second},
		"too many":                       {429, nil, nil, minute},
		"too many for seconds":           {429, map[string]string{"Retry-After": "600"}, nil, 10 * minute},
		"too many, GitLab's reset":       {429, map[string]string{"RateLimit-Remaining": "0", "RateLimit-Reset": reset}, nil, 90 * time.Second},
		"too many, no reset":             {429, map[string]string{"RateLimit-Remaining": "0"}, nil, minute},
		"too many until a time long ago": {429, map[string]string{"RateLimit-Remaining": "0", "RateLimit-Reset": "1000"}, nil, time.Second},
		"too many for years":             {429, map[string]string{"Retry-After": "99999999"}, nil, 24 * time.Hour},
		"down for seconds":               {503, map[string]string{"Retry-After": "120"}, nil, 2 * minute},
		"down":                           {503, nil, errStatus, 0},
		"down within the limit":          {503, map[string]string{"X-RateLimit-Remaining": "4990", "X-RateLimit-Reset": reset}, errStatus, 0},
		"blocked":                        {451, nil, errStatus, 0},
		"gateway":                        {502, map[string]string{"Retry-After": "30"}, errStatus, 0},
	} {
		header := http.Header{}
		for name, value := range c.header {
			header.Set(name, value)
		}
		err := vcshost.ReadRefusal("ask", &http.Response{StatusCode: c.status, Header: header}, nil)
		var limited *vcshost.Limited
		switch {
		case errors.As(err, &limited) != (c.wait > 0):
			t.Errorf("%s: %v", name, err)
		case c.wait > 0 && (limited.RetryAfter-c.wait).Abs() > 2*time.Second:
			t.Errorf("%s: wait %s, want %s", name, limited.RetryAfter, c.wait)
		case errors.Is(c.is, errStatus) && err.Error() != "ask: status "+strconv.Itoa(c.status), c.is != nil && !errors.Is(c.is, errStatus) && !errors.Is(err, c.is):
			t.Errorf("%s: %v, want %v", name, err, c.is)
		}
	}
}

var errStatus = errors.New("an error with the status")

func TestAnswerThatSaysWhenToAskAgainIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		retryAfter string
		asked      int
	}{"with Retry-After": {"600", 1}, "without": {"", 3}} {
		asked := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if asked++; c.retryAfter != "" {
				w.Header().Set("Retry-After", c.retryAfter)
			}
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		client := http.Client{Transport: vcshost.Transport(server.URL)}
		answer, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		server.Close()
		if asked != c.asked || answer.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s: asked %d times, want %d; answered %s", name, asked, c.asked, answer.Status)
		}
	}
}
