package main

import (
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/login/user"
)

// trail is what the operation needs.
type trail struct {
	records audit.Store
	users   *user.Store
}

// reader is a caller with the capability, which no session has. What the query
// names decides whose records the caller may see: its own, or those of an
// installation that it reaches.
var reader = access.Rule{Kinds: []access.Kind{access.KindAccessToken}, Needs: []access.Capability{access.AuditRead}}

// filters are the parameters that the list accepts.
var filters = paging.Input("vcs", "installation_id", "from", "to", "actor", "action", "key", "repository", "run")

// routes lists the function's routes.
func routes(t trail) []httpapi.Route {
	return []httpapi.Route{{Pattern: "GET /api/v1/audit", Rule: reader, Input: filters, Endpoint: httpapi.JSON(decode, t.list)}}
}
