package main

import (
	"log/slog"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/credential/accesstoken"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/login/user"
)

// tokens is what the operations need.
type tokens struct {
	keys   *apikey.Store
	users  *user.Store
	signer *signer
	domain accesstoken.Domain
	log    *slog.Logger
}

// What the routes require of their callers.
var (
	holder = access.Rule{Kinds: []access.Kind{access.KindAPIKey}}
	owner  = access.Rule{Needs: []access.Capability{access.AccessTokenCreate}, Scope: access.ScopeVCS}
)

// creation is the input of the route that creates a key.
var creation = httpapi.Input{Members: []string{"name", "capabilities", "description", "expires_at"}}

// routes lists the function's routes.
func routes(t *tokens) []httpapi.Route {
	return []httpapi.Route{
		{Pattern: "POST /api/v1/access-token/refresh", Rule: holder, Endpoint: httpapi.JSON(httpapi.NoInput, t.refresh)},
		{Pattern: "GET /api/v1/{vcs}/access-token", Rule: owner, Input: paging.Input(), Endpoint: httpapi.JSON(decodeList, t.list)},
		{Pattern: "POST /api/v1/{vcs}/access-token", Rule: owner, Input: creation, Endpoint: httpapi.JSON(decodeCreate, t.create)},
		{Pattern: "DELETE /api/v1/{vcs}/access-token", Rule: owner, Input: httpapi.Input{Query: []string{"id"}}, Endpoint: httpapi.JSON(decodeRevoke, t.revoke)},
	}
}
