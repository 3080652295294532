package vcshost_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func TestPageForBrowsersIsNoRefusalOfTheHost(t *testing.T) {
	t.Parallel()
	const html = "<html><body>403</body></html>"
	long := `{"message":"` + strings.Repeat("x", 1<<17) + `"}`
	for name, c := range map[string]struct {
		status int
		kind   string
		header http.Header
		body   string
		page   bool
	}{
		"refusal":                     {403, "text/html; charset=utf-8", nil, html, true},
		"nothing there":               {404, "text/html", nil, html, true},
		"gone":                        {410, "text/html", nil, html, true},
		"login":                       {401, "text/html", nil, html, true},
		"page by its type alone":      {404, "TEXT/HTML", nil, "Not Found", true},
		"page by its beginning alone": {404, "application/json", nil, "\ufeff\r\n <!DOCTYPE html>", true},
		"XML of a store":              {403, "application/xml", nil, "<?xml version=\"1.0\"?><Error/>", true},
		"empty page":                  {404, "text/html", nil, "", true},
		"JSON":                        {403, "application/json", nil, `{"message":"403 Forbidden"}`, false},
		"JSON with a tag":             {404, "application/json", nil, `{"message":"<html>"}`, false},
		"long JSON":                   {404, "application/json", nil, long, false},
		"GitLab's banned address":     {403, "text/plain", nil, "Forbidden\n", false},
		"nothing said":                {404, "", nil, "", false},
		"limit by its header":         {403, "text/html", http.Header{"Retry-After": {"30"}}, html, false},
		"limit by its words":          {403, "text/html", nil, "<html>Too Many Requests</html>", false},
		"too many":                    {429, "text/html", nil, html, false},
		"failure":                     {501, "text/html", nil, html, false},
		"success":                     {200, "text/html", nil, html, false},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for name, values := range c.header {
				w.Header()[name] = values
			}
			w.Header().Set("Content-Type", c.kind)
			w.WriteHeader(c.status)
			fmt.Fprint(w, c.body)
		}))
		client := http.Client{Transport: vcshost.Transport(server.URL)}
		answer, err := client.Post(server.URL, "text/plain", nil)
		var page *vcshost.BrowserPage
		if errors.As(err, &page) != c.page || errors.Is(err, vcshost.ErrNoAnswer) != c.page || c.page && page.Status != c.status {
			t.Errorf("%s: %v, want a page: %t", name, err, c.page)
		}
		if err == nil {
			body, err := io.ReadAll(answer.Body)
			if err != nil || string(body) != c.body || answer.StatusCode != c.status {
				t.Errorf("%s: got %d bytes with %s, %v; want %d", name, len(body), answer.Status, err, len(c.body))
			}
			_ = answer.Body.Close()
		}
		server.Close()
	}
}
