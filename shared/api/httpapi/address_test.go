package httpapi_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
)

func TestAddress(t *testing.T) {
	t.Parallel()
	echo := []httpapi.Route{{
		Pattern: "GET /api/{rest...}", Rule: access.Rule{Public: true},
		Endpoint: func(_ context.Context, _ httpapi.Call, r *http.Request) (httpapi.Response, error) {
			return httpapi.ResponseOf(httpapi.Address(r)), nil
		},
	}}
	l := httpapi.NewLambda(echo, slog.New(slog.NewTextHandler(io.Discard, nil)), time.Now)
	https := map[string][]string{"X-Forwarded-Proto": {"https"}}
	for _, c := range []struct {
		name    string
		headers map[string][]string
		stage   string // what the gateway removed from the path
		public  string // the configured address
		want    string
	}{
		{"plain", nil, "", "", "http://api.example.com"},
		{"behind TLS", https, "", "", "https://api.example.com"},
		{"on the gateway's own domain", https, "/live", "", "https://api.example.com/live"},
		{"behind a proxy", map[string][]string{"X-Forwarded-Base": {"https://tt.example.com/"}}, "/live", "", "https://tt.example.com"},
		{"behind a proxy with a path", map[string][]string{"X-Forwarded-Base": {"https://example.com/ops?x#y"}}, "", "", "https://example.com/ops"},
		{"a base that is no address", map[string][]string{"X-Forwarded-Base": {"javascript:alert(1)"}}, "", "", "http://api.example.com"},
		{"configured", https, "/live", "https://ops.example.com/api-of/us/", "https://ops.example.com/api-of/us"},
		{"configured, whatever headers say", map[string][]string{
			"X-Forwarded-Base": {"https://evil.example.com"}, "X-Forwarded-Proto": {"http"}, "Host": {"evil.example.com"},
		}, "/live", "https://ops.example.com", "https://ops.example.com"},
	} {
		e := httpapitest.Event(t, "GET", "/api/a%2Fb", nil, "")
		e.RequestContext.Path = c.stage + e.Path
		for name, values := range c.headers {
			e.MultiValueHeaders[name] = values
		}
		got, err := l.At(c.public).Handle(context.Background(), e)
		if want := `"` + c.want + `"`; err != nil || got.Body != want {
			t.Errorf("%s: got %s, %v; want %s", c.name, got.Body, err, want)
		}
	}
}
