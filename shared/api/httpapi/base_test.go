package httpapi_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
)

func TestBasePathOfACustomDomainIsNoPartOfTheRoute(t *testing.T) {
	t.Parallel()
	type seen struct{ Path, Address string }
	var got seen
	look := func(_ context.Context, _ httpapi.Call, r *http.Request) (httpapi.Response, error) {
		got = seen{r.URL.EscapedPath(), httpapi.Address(r)}
		return httpapi.ResponseOf(httpapi.Empty{}), nil
	}
	var list []httpapi.Route
	for _, pattern := range []string{"GET /{$}", "GET /health", "GET /api/v1/whoami", "GET /api/v1/{vcs}/kv/{installation_id}/key/{key...}"} {
		list = append(list, httpapi.Route{Pattern: pattern, Rule: access.Rule{Public: true}, Endpoint: look})
	}
	l := httpapi.NewLambda(list, slog.New(slog.DiscardHandler), time.Now)
	const key = "/api/v1/{vcs}/kv/{installation_id}/key/{key+}"
	for _, c := range []struct{ resource, base, path string }{
		{"/api/v1/whoami", "", "/api/v1/whoami"},
		{"/api/v1/whoami", "/ops", "/api/v1/whoami"},
		{"/api/v1/whoami", "/a/b.c", "/api/v1/whoami"},
		{"/api/v1/whoami", "/api/v1", "/api/v1/whoami"},
		{"/", "", "/"},
		{"/", "/ops", "/"},
		{"/", "/api/v1", "/"},
		{"/health", "/health", "/health"},
		{"/health", "", "/health"},
		{key, "/ops", "/api/v1/github/kv/1/key/a%2Fb/c"},
		{key, "/api/v1", "/api/v1/github/kv/1/key/a"},
		{key, "", "/api/v1/github/kv/1/key/x/api/v1/github/kv/2/key/y"},
		{key, "/ops", "/api/v1/github/kv/1/key/x/api/v1/github/kv/2/key/y"},
		{"", "", "/api/v1/whoami"},
	} {
		e := httpapitest.Event(t, "GET", c.base+c.path, nil, "")
		e.Resource, e.RequestContext.ResourcePath = c.resource, c.resource
		e.RequestContext.Path = e.Path
		got = seen{}
		resp, err := l.Handle(t.Context(), e)
		want := seen{c.path, "http://api.example.com" + c.base}
		if err != nil || resp.StatusCode != http.StatusOK || got != want {
			t.Errorf("%s: got %d %+v, %v; want %+v", e.Path, resp.StatusCode, got, err, want)
		}
	}
	for path, resource := range map[string]string{"/ops/api/v1/whoami": "", "/ops/other": "/api/v1/whoami", "/api/v1/whoami/more": "/api/v1/whoami"} {
		e := httpapitest.Event(t, "GET", path, nil, "")
		e.Resource = resource
		if resp, err := l.Handle(t.Context(), e); err != nil || resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s for resource %q: got %d, %v; want 404", path, resource, resp.StatusCode, err)
		}
	}
}
