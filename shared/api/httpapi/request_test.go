package httpapi_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
)

// A client can send the gateway's request id, and can send one id twice. So that id
// must not distinguish two calls.
func TestACallIsAnInvocationWhateverTheGatewaysRequestID(t *testing.T) {
	t.Parallel()
	var seen []httpapi.Call
	var log bytes.Buffer
	l := httpapi.NewLambda([]httpapi.Route{{
		Pattern: "GET /x", Rule: access.Rule{Public: true},
		Endpoint: httpapi.JSON(httpapi.NoInput, func(_ context.Context, c httpapi.Call, _ struct{}) (httpapi.Empty, error) {
			seen = append(seen, c)
			return httpapi.Empty{}, nil
		}),
	}}, slog.New(slog.NewJSONHandler(&log, nil)), time.Now)
	for _, invocation := range []string{"invocation-1", "invocation-2", "", ""} {
		ctx := t.Context()
		if invocation != "" {
			ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: invocation})
		}
		e := httpapitest.Event(t, "GET", "/x", nil, "")
		e.RequestContext.RequestID = "chosen"
		if resp, err := l.Handle(ctx, e); err != nil || resp.StatusCode != 200 {
			t.Fatalf("got %d, %v", resp.StatusCode, err)
		}
	}
	var requests []string
	for i, c := range seen {
		if c.Request == "" || c.Request == "chosen" || slices.Contains(requests, c.Request) || c.Author().Request != c.Request {
			t.Errorf("call %d: got request %q after %q", i, c.Request, requests)
		}
		requests = append(requests, c.Request)
	}
	if requests[0] != "invocation-1" || requests[1] != "invocation-2" {
		t.Errorf("got requests %q, want the invocations' ids", requests)
	}
	if first, _, _ := strings.Cut(log.String(), "\n"); !strings.Contains(first, `"request_id":"invocation-1","gateway_request_id":"chosen"`) {
		t.Errorf("log line: %s", first)
	}
}
