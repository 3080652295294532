package httpapi_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
)

func TestUncleanPathsAreUnknownAndNotRedirected(t *testing.T) {
	l := httpapi.NewLambda([]httpapi.Route{{Pattern: "GET /x/{vcs}", Rule: access.Rule{Public: true}, Endpoint: httpapi.JSON(
		httpapi.NoInput, func(context.Context, httpapi.Call, struct{}) (httpapi.Empty, error) { return httpapi.Empty{}, nil })}},
		slog.New(slog.DiscardHandler), time.Now)
	for _, path := range []string{"/x//github", "//x/github", "/y/../x/github", "/x/./github", "/x/github/."} {
		resp, err := l.Handle(t.Context(), httpapitest.Event(t, "GET", path, nil, ""))
		if err != nil || resp.StatusCode != 404 || resp.Body != "" {
			t.Errorf("%s: got %d %q %v, want 404 without a body", path, resp.StatusCode, resp.Body, err)
		}
	}
}
