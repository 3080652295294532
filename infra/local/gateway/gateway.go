//go:build unix

// Package gateway stands in for API Gateway's REST API. It turns each HTTP request into the
// event that API Gateway sends, asks the authorizer first, and turns the function's response
// back into HTTP.
//
// It takes routes, authorizers and its own responses from the template, and nothing from the
// functions. So a request that passes here also passes on AWS. It throttles only if Throttle
// was called: the template's limits protect an AWS account, and a laptop does not need them.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/local/runtimeapi"
	"github.com/opsplane/opsplane/infra/test/template"
)

// Limits of API Gateway.
const (
	maxBody        = 10 << 20 // of a request's body, even if the function accepts more
	defaultTimeout = 29 * time.Second
	// drainLimit is how many bytes of a refused body the gateway reads. A client that sends the
	// whole body before it reads then receives the refusal.
	drainLimit = 64 << 20
)

// Invoker delivers an event to a function and returns its response, or an error of package
// runtimeapi.
type Invoker interface {
	Invoke(ctx context.Context, event []byte) ([]byte, error)
}

// Gateway serves the API of a template.
type Gateway struct {
	api       template.API
	routes    table
	functions map[string]Invoker
	report    func(line string)
	timeout   time.Duration
}

// New returns a gateway for the functions, which are keyed by logical id. report receives one
// line whenever the gateway responds in place of a function, with the reason.
func New(t *template.Template, functions map[string]Invoker, report func(line string)) *Gateway {
	return &Gateway{api: t.API, routes: newTable(t.Functions), functions: functions, report: report, timeout: defaultTimeout}
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{request: r, id: uuid.NewString(), time: time.Now()}
	c.rawPath, c.rawQuery = target(r)
	if no := c.inadmissible(); no != "" {
		g.refuse(w, c, no)
		return
	}
	c.resource, c.values = g.routes.find(c.rawPath)
	if c.resource == nil {
		g.refuse(w, c, missingToken)
		return
	}
	m, ok := c.resource.methods[c.method()]
	if !ok {
		if m, ok = c.resource.methods["ANY"]; !ok {
			g.refuse(w, c, missingToken)
			return
		}
	}
	if m.authorizer != "" && c.arnTooLong(g.api.Stage) {
		g.refuse(w, c, uriTooLong)
		return
	}
	var err error
	if c.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); !errors.As(err, &tooLarge) {
			g.refuse(w, c, badBody) // the body ended before its length, or a chunk is invalid
			return
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, drainLimit))
		g.refuse(w, c, requestTooLarge)
		return
	}
	if !m.limit.admits(c.time) {
		g.refuse(w, c, throttled)
		return
	}
	// If the client goes away, the function still finishes the request, as with API Gateway.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), g.timeout)
	defer cancel()
	caller, no := g.authorize(ctx, c, m.authorizer)
	if no != "" {
		g.refuse(w, c, no)
		return
	}
	g.integrate(ctx, w, c, m.function, caller)
}

// authorize returns the values that the authorizer states about the caller, or the refusal.
func (g *Gateway) authorize(ctx context.Context, c *call, name string) (map[string]any, refusal) {
	if name == "" {
		return nil, ""
	}
	a := g.api.Authorizers[name]
	for _, header := range a.IdentityHeaders {
		if c.request.Header.Get(header) == "" {
			return nil, unauthorized
		}
	}
	event, err := c.authorizerEvent(g.api.Stage)
	if err != nil {
		return nil, authorizerFailure
	}
	started := time.Now()
	text, err := g.functions[a.Function].Invoke(ctx, event)
	if err != nil {
		var failed *runtimeapi.FunctionError
		switch {
		case errors.As(err, &failed) && failed.Message == "Unauthorized":
			return nil, unauthorized
		case errors.Is(err, runtimeapi.ErrThrottled):
			return nil, authorizerConfig
		}
		g.report(fmt.Sprintf("%s %s: %s: %v", c.request.Method, c.rawPath, a.Function, err))
		return nil, authorizerFailure
	}
	v, err := parseVerdict(text)
	if err != nil {
		g.report(err.Error())
		return nil, authorizerConfig
	}
	if !v.allows(c.methodARN(g.api.Stage)) {
		return nil, accessDenied
	}
	values, err := v.values()
	if err != nil {
		g.report(err.Error())
		return nil, authorizerConfig
	}
	values["integrationLatency"] = time.Since(started).Milliseconds()
	return values, ""
}

// integrate calls the function and sends its response.
func (g *Gateway) integrate(ctx context.Context, w http.ResponseWriter, c *call, function string, authorizer map[string]any) {
	event, err := c.functionEvent(g.api.Stage, authorizer, isBinary(g.api.BinaryMediaTypes, c.request.Header.Get("Content-Type")))
	if err != nil {
		g.refuse(w, c, badFunction)
		return
	}
	text, err := g.functions[function].Invoke(ctx, event)
	switch {
	case err == nil:
	case errors.Is(err, runtimeapi.ErrTooLarge):
		g.refuse(w, c, requestTooLarge)
		return
	case errors.Is(err, runtimeapi.ErrThrottled):
		// Not THROTTLED: that type is for the gateway's own limit. The gateway sees Lambda's
		// limit as a function that fails.
		g.refuse(w, c, integrationFailure)
		return
	case errors.Is(err, context.DeadlineExceeded):
		g.refuse(w, c, integrationTimeout)
		return
	default:
		g.report(fmt.Sprintf("%s %s: %s: %v", c.request.Method, c.rawPath, function, err))
		g.refuse(w, c, badFunction)
		return
	}
	a, err := parseAnswer(text)
	var body []byte
	if err == nil {
		body, err = a.body(isBinary(g.api.BinaryMediaTypes, c.request.Header.Get("Accept")))
	}
	if err != nil {
		g.report(fmt.Sprintf("%s %s: %s: %v", c.request.Method, c.rawPath, function, err))
		g.refuse(w, c, badFunction)
		return
	}
	a.header(w.Header())
	send(w, c, int(a.StatusCode), body)
}
