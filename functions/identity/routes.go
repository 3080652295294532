package main

import (
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
)

// anyone is a caller with a credential of any kind. API keys are included because
// clients test a key by asking who it belongs to.
var anyone = append(access.DefaultKinds(), access.KindAPIKey)

// routes lists the function's routes.
func routes(users *user.Store, sessions *session.Store) []httpapi.Route {
	i := identity{users: users, sessions: sessions}
	return []httpapi.Route{
		{Pattern: "GET /api/v1/whoami", Rule: access.Rule{Kinds: anyone}, Endpoint: httpapi.JSON(httpapi.NoInput, i.whoami)},
		{Pattern: "GET /api/v1/{vcs}/whoami", Rule: access.Rule{Kinds: anyone, Scope: access.ScopeVCS}, Endpoint: httpapi.JSON(httpapi.NoInput, i.whoamiAt)},
		{Pattern: "POST /api/v1/logout", Rule: access.Rule{}, Endpoint: httpapi.JSON(httpapi.NoInput, i.logout)},
	}
}
