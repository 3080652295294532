// Package httpapi turns typed operations into the HTTP routes of a Lambda function.
// One wrapper serves all routes. It authorises the request, refuses what the route
// does not accept, decodes the input, calls the operation, maps its error to a
// status and writes the response: JSON, a redirect, a file or a page. The package has
// three invariants:
//
//   - No operation runs before access.Authorize has agreed.
//   - No operation runs with a parameter or member that its route does not declare.
//   - Only the text of a fault leaves the process, not the text of any other error.
package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Route is one method and path of the API.
type Route struct {
	// Pattern is a http.ServeMux pattern with a method, such as
	// "GET /api/v1/{vcs}/whoami".
	Pattern string
	// Rule is what the route requires of the caller.
	Rule access.Rule
	// Input is what the request may contain besides its path. The zero Input
	// accepts nothing.
	Input Input
	// VCS, if not empty, is the only VCS that has the route. A request for another one
	// gets 404, unless it is refused first: with 403 because of the caller's rights, or
	// with 400 because of what the route does not accept.
	VCS vcs.VCS
	// ReadOnly says that the route writes nothing although its method is not GET.
	ReadOnly bool
	// Endpoint is what the route does. JSON, Respond and Tagged make it. One that is
	// made in another way must call CheckRead before it does its work.
	Endpoint Endpoint
	// ErrorPage, if not nil, returns the page that a browser shows if the request
	// fails. Clients that do not prefer HTML get the failure as JSON. The page has the
	// status of the failure. The path variables of the request may hold anything.
	ErrorPage func(*http.Request, Call, Failure) Page
}

// Endpoint is an operation together with the decoder of its request.
type Endpoint func(context.Context, Call, *http.Request) (Response, error)

// Call is what an operation knows about the request besides its parameters.
type Call struct {
	// Caller is who sends the request. It is the zero value on public routes.
	Caller access.Caller
	// VCS is the path variable vcs, one of vcs.All. It is empty on routes without
	// that variable.
	VCS vcs.VCS
	// Installation is what the route acts on: VCS and the path variable
	// installation_id, which is valid. It is zero on routes without that variable.
	// On routes of access.ScopeInstallation it is one of the caller's installations.
	// On routes of access.ScopeHosted the server may not know it.
	Installation vcs.Installation
	// Request is the id of the invocation. Lambda gives it. No other request has
	// it, and no caller can choose it.
	Request string
	// Source is the caller's network address.
	Source string
	// Now is when the request arrived. Operations take the time from here.
	Now time.Time
}

// Author returns the call as the author of a change.
func (c Call) Author() change.Author {
	return change.Author{
		Principal: c.Caller.User, Credential: c.Caller.Key,
		Request: c.Request, Source: c.Source, At: c.Now,
	}
}

// JSON returns an endpoint whose operation returns a value that is sent as JSON. The
// decoder reads path, query and body. It returns a fault for input that it cannot
// accept. The VCS and the installation of the path are in the Call.
func JSON[Q, A any](decode func(*http.Request) (Q, error), do func(context.Context, Call, Q) (A, error)) Endpoint {
	return func(ctx context.Context, call Call, r *http.Request) (Response, error) {
		q, err := decoded(decode, r)
		if err != nil {
			return nil, err
		}
		result, err := do(ctx, call, q)
		return jsonResponse{result}, err
	}
}

// Respond does the same as JSON for an operation that returns another kind of
// Response, such as Redirect.
func Respond[Q any, R Response](decode func(*http.Request) (Q, error), do func(context.Context, Call, Q) (R, error)) Endpoint {
	return func(ctx context.Context, call Call, r *http.Request) (Response, error) {
		q, err := decoded(decode, r)
		if err != nil {
			return nil, err
		}
		return do(ctx, call, q)
	}
}

// decoded returns the input of a request that passes CheckRead.
func decoded[Q any](decode func(*http.Request) (Q, error), r *http.Request) (Q, error) {
	q, err := decode(r)
	if err != nil {
		return q, err
	}
	return q, CheckRead(r)
}

// CheckRead returns an error that is no fault if the decoder of a request did not read
// all that was sent and that the route declares. Such a parameter or member would be
// accepted and have no effect.
func CheckRead(r *http.Request) error {
	if name := unread(r); name != "" {
		return fmt.Errorf("%s is declared by the route and not read by its decoder", name)
	}
	return nil
}

// NoInput is the decoder of an operation without input.
func NoInput(*http.Request) (struct{}, error) { return struct{}{}, nil }
