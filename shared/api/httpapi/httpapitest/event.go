// Package httpapitest builds the events with which API Gateway invokes a function,
// for tests. Its invariant: an event has the shape that the REST API sends, with
// the raw path and the decoded query.
package httpapitest

import (
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/access"
)

// Event builds the event of one request. The target is a path as a client sends it,
// with an optional query. A nil caller means that the route has no authorizer.
func Event(t testing.TB, method, target string, caller *access.Caller, body string) events.APIGatewayProxyRequest {
	t.Helper()
	path, rawQuery, _ := strings.Cut(target, "?")
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		t.Fatalf("query of %s: %v", target, err)
	}
	e := events.APIGatewayProxyRequest{
		HTTPMethod: method, Path: path, Body: body,
		MultiValueQueryStringParameters: query,
		MultiValueHeaders:               map[string][]string{"Content-Type": {"application/json"}},
		RequestContext: events.APIGatewayProxyRequestContext{
			RequestID:  uuid.NewString(),
			DomainName: "api.example.com",
			Stage:      "live",
			Path:       "/live" + path,
			Identity:   events.APIGatewayRequestIdentity{SourceIP: "192.0.2.1"},
		},
	}
	if caller != nil {
		e.RequestContext.Authorizer, err = caller.Context()
		if err != nil {
			t.Fatal(err)
		}
	}
	return e
}
