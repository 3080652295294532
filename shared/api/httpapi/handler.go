package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/awslabs/aws-lambda-go-api-proxy/core"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Handler serves routes. A request has the gateway's request context in its
// context, where the Lambda adapter puts it. Without it only public routes succeed.
func Handler(routes []Route, log *slog.Logger, now func() time.Time) http.Handler {
	mux := http.NewServeMux()
	for _, route := range routes {
		mux.Handle(route.Pattern, serve(route))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := now()
		call, gateway := receive(r.Context(), start)
		rec := &recorder{ResponseWriter: w, status: http.StatusOK, call: call, gateway: gateway}
		protect(rec.Header())
		// The multiplexer would redirect a path that is not clean, and it serves
		// HEAD with the route of GET. Neither is a request for one of our routes:
		// the gateway compares paths and methods exactly.
		if h, pattern := mux.Handler(r); !ours(h) || r.Method == http.MethodHead && !strings.HasPrefix(pattern, http.MethodHead+" ") {
			rec.WriteHeader(http.StatusNotFound)
		} else {
			mux.ServeHTTP(rec, r)
		}
		logRequest(log, r, rec, start, now())
	})
}

// protect sets the headers of every response. They say: do not store the response,
// do not guess another content type, and use only TLS for this host.
func protect(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Strict-Transport-Security", "max-age=31536000")
}

// served is the handler of a route. The type distinguishes it from the
// multiplexer's own handlers.
type served func(http.ResponseWriter, *http.Request)

// ServeHTTP implements http.Handler.
func (s served) ServeHTTP(w http.ResponseWriter, r *http.Request) { s(w, r) }

func ours(h http.Handler) bool {
	_, ok := h.(served)
	return ok
}

// serve wraps one route.
func serve(route Route) served {
	return func(w http.ResponseWriter, r *http.Request) {
		rec := w.(*recorder)
		response, err := run(route, rec, r)
		if err != nil {
			rec.err = err
			f := failureOf(err, route.ReadOnly || r.Method == http.MethodGet)
			if route.ErrorPage != nil && prefersPage(r.Header) {
				f.page, rec.pageErr = errorPage(route, r, rec.call, f.Failure)
			}
			response = f
		}
		send(rec, r, response)
	}
}

// errorPage returns the route's page for a failure. It turns a panic into an error.
// Then the page is zero, and the failure is sent as JSON.
func errorPage(route Route, r *http.Request, call Call, f Failure) (page Page, err error) {
	defer recovered(&err)
	return route.ErrorPage(r, call, f), nil
}

// recovered sets err to the panic that ends the function that deferred it, if any.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

// run authorises and runs one request. It turns a panic into an error, so that one
// bad request does not end a warm instance.
func run(route Route, rec *recorder, r *http.Request) (response Response, err error) {
	defer recovered(&err)
	target := vcs.Installation{VCS: vcs.VCS(r.PathValue("vcs")), ID: vcs.ID(r.PathValue("installation_id"))}
	rec.target, rec.call.VCS = target, target.VCS
	rec.call.Caller, err = caller(r.Context())
	if err != nil && !route.Rule.Public {
		return nil, access.Refuse(access.StepCredential, "the request came with no caller: it passed no authorizer")
	}
	if target.VCS != "" && !target.VCS.Valid() {
		return nil, fault.ErrNotFound
	}
	if err := access.Authorize(rec.call.Caller, route.Rule, target, rec.call.Now); err != nil {
		return nil, err
	}
	r, err = route.Input.admit(r)
	if err != nil {
		return nil, err
	}
	if route.VCS != "" && route.VCS != target.VCS {
		return nil, fault.ErrNotFound
	}
	if target.ID != "" {
		if err := access.CheckInstallation(target); err != nil {
			return nil, err
		}
		rec.call.Installation = target
	}
	return route.Endpoint(r.Context(), rec.call, r)
}

// receive reads what is known of every request before the caller is. It also
// returns the gateway's id of the request. The call's own id is the id of the
// invocation, because a client can choose the gateway's id with the header
// X-Amzn-RequestId, and may use one id twice.
func receive(ctx context.Context, now time.Time) (Call, string) {
	gateway, _ := core.GetAPIGatewayContextFromContext(ctx)
	call := Call{Source: gateway.Identity.SourceIP, Now: now}
	if invocation, _ := core.GetRuntimeContextFromContext(ctx); invocation != nil {
		call.Request = invocation.AwsRequestID
	}
	if call.Request == "" {
		call.Request = uuid.NewString()
	}
	return call, gateway.RequestID
}

// caller reads the caller from the gateway's request context.
func caller(ctx context.Context) (access.Caller, error) {
	gateway, ok := core.GetAPIGatewayContextFromContext(ctx)
	if !ok {
		return access.Caller{}, access.ErrNoCaller
	}
	return access.FromContext(gateway.Authorizer)
}
