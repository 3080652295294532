// Package httpapi turns typed operations into the HTTP routes of a Lambda
// function. One wrapper serves them all: it authorises, refuses what the route
// does not take, decodes, calls the operation, maps its error to a status and
// writes JSON. Its invariant: no operation runs before access.Authorize has
// agreed, none with a parameter or member that its route does not declare, and
// no text of an error that is not a fault leaves the process.
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
	// Rule is what the caller needs.
	Rule access.Rule
	// Input is what the request may say beside its path; the zero Input is nothing.
	Input Input
	// ReadOnly says of a route with another method than GET that it writes nothing.
	ReadOnly bool
	// Endpoint is what the route does; made by JSON.
	Endpoint Endpoint
}

// Endpoint is an operation bound to its request's form.
type Endpoint func(context.Context, Call, *http.Request) (any, error)

// Call is what an operation knows about the request beside its parameters.
type Call struct {
	// Caller is who asks; the zero value on public routes.
	Caller access.Caller
	// VCS is the path variable vcs, one of vcs.All; empty on routes without it.
	VCS vcs.VCS
	// Installation is what the route acts on: VCS and the path variable
	// installation_id; zero on routes without that variable. On routes of
	// access.ScopeInstallation it is one of the caller's installations. On those of
	// access.ScopeHosted its ID is whatever was sent: check it with vcs.ID.Valid.
	Installation vcs.Installation
	// Request is the id of the invocation: given by Lambda, no other request
	// has it, and no caller can choose it.
	Request string
	// Source is the caller's network address.
	Source string
	// Now is when the request arrived. Operations take the time from here.
	Now time.Time
}

// Author is the call as the author of a change.
func (c Call) Author() change.Author {
	return change.Author{
		Principal: c.Caller.User, Credential: c.Caller.Key,
		Request: c.Request, Source: c.Source, At: c.Now,
	}
}

// Empty is the answer of an operation that has nothing to say: 200 without a
// body. An answer that embeds it has no body either, whatever its status.
type Empty struct{}

func (Empty) bodyless() {}

// bodyless is Empty, and what embeds it.
type bodyless interface{ bodyless() }

// Statuser is an answer with a status of its own; that of any other is 200.
type Statuser interface {
	// Status is one of 200 to 399: refusals are faults.
	Status() int
}

// Headerer is an answer that also sets response headers.
type Headerer interface {
	// SetHeaders adds to the headers of the response.
	SetHeaders(http.Header)
}

// JSON makes an endpoint of a decoder and an operation. The decoder reads path,
// query and body and answers a fault for what it cannot accept.
func JSON[Q, A any](decode func(*http.Request) (Q, error), do func(context.Context, Call, Q) (A, error)) Endpoint {
	return func(ctx context.Context, call Call, r *http.Request) (any, error) {
		q, err := decode(r)
		if err != nil {
			return nil, err
		}
		if name := unread(r); name != "" {
			return nil, fmt.Errorf("query parameter %s is declared by the route and not read by its decoder", name)
		}
		return do(ctx, call, q)
	}
}

// NoInput is the decoder of an operation without parameters.
func NoInput(*http.Request) (struct{}, error) { return struct{}{}, nil }
