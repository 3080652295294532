package functiontest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/infra/apiclient"
)

// Response is the response of a function, in the form that API Gateway receives.
type Response struct {
	events.APIGatewayProxyResponse
}

// Want reports an error unless the response has the status and, if the response is an error
// with a body, the id.
func (r Response) Want(t testing.TB, status int, id string) {
	t.Helper()
	var body struct {
		ID string `json:"id"`
	}
	if r.StatusCode >= http.StatusBadRequest && r.Body != "" {
		if err := json.Unmarshal([]byte(r.Body), &body); err != nil {
			t.Errorf("got the body %q, want JSON", r.Body)
		}
	}
	if r.StatusCode != status || body.ID != id {
		t.Errorf("got %d %.500s, want %d %q", r.StatusCode, r.Body, status, id)
	}
}

// WantBody reports an error unless the response has the status and this body.
func (r Response) WantBody(t testing.TB, status int, body string) {
	t.Helper()
	if r.StatusCode != status || r.Body != body {
		t.Errorf("got %d %.500s, want %d %.500s", r.StatusCode, r.Body, status, body)
	}
}

// Read decodes the body of a response with status 200. It ends the test if the response has
// another status.
func (r Response) Read(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.Body), into); err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("got %d %.500s (%v), want 200 with JSON", r.StatusCode, r.Body, err)
	}
}

// Links returns the targets, for Do, of the pages "next" and "prev". There is no target for a
// page that does not exist. The header states the pages as URLs below the stage.
func (r Response) Links(t testing.TB) map[string]string {
	t.Helper()
	links := apiclient.Response{Header: r.MultiValueHeaders}.Links()
	targets := map[string]string{}
	for rel, link := range map[string]string{"next": links.Next, "prev": links.Previous} {
		if link == "" {
			continue
		}
		u, err := url.Parse(link)
		if err != nil || !u.IsAbs() || u.Host == gateway && !strings.HasPrefix(u.Path, stage) {
			t.Fatalf("got the link %s, want an absolute one with the stage", link)
		}
		targets[rel] = strings.TrimPrefix(u.RequestURI(), strings.TrimSuffix(stage, "/"))
	}
	return targets
}

// Location returns the header Location.
func (r Response) Location() string { return http.Header(r.MultiValueHeaders).Get("Location") }

// The events of package httpapitest use this host and this stage. API Gateway removes the stage
// from the paths that functions see.
const (
	gateway = "api.example.com"
	stage   = "/live/"
)
