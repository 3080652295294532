package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/loginhost"
	"github.com/opsplane/opsplane/shared/login/membership"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
)

// hosts holds what the operations need.
type hosts struct {
	people     membership.Memberships
	loginHosts map[vcs.VCS]loginhost.Host // by VCS; only those that are configured
	grants     *grant.Store
	vcs        *hostclient.Hosts
	allowed    allowed
	// webhookSecrets returns the values of the secret of webhook tokens, the newest
	// first.
	webhookSecrets func(context.Context, time.Time) ([]string, error)
	listTime       time.Duration // time that a VCS may take for a list; 0 means defaultListTime
	log            *slog.Logger
}

// token requires a credential for the VCS. hosted is for groups that need not be
// known here: GitLab says what the person may do with such a group. A run must not
// give away a group's webhook or token. So hosted also requires the capability that
// people's credentials have and the credentials of runs do not have.
var (
	token  = access.Rule{Scope: access.ScopeVCS}
	hosted = access.Rule{Needs: []access.Capability{access.AccessTokenCreate}, Scope: access.ScopeHosted}
)

// changes returns a rule for a read that also stores what it finds at the host.
func changes(rule access.Rule) access.Rule {
	rule.Changes = true
	return rule
}

// routes lists the function's routes. The list of installations has two paths:
// clients of GitHub use one, and clients of GitLab the other.
func routes(h *hosts) []httpapi.Route {
	list := httpapi.JSON(httpapi.NoInput, h.list)
	return []httpapi.Route{
		{Pattern: "GET /api/v1/user/{vcs}/installations", Rule: changes(token), Endpoint: list},
		{Pattern: "GET /api/v1/{vcs}/installations", Rule: changes(token), Endpoint: list},
		{Pattern: "GET /api/v1/{vcs}/groups", Rule: token, VCS: vcs.GitLab, Endpoint: httpapi.JSON(httpapi.NoInput, h.listGroups)},
		{Pattern: "GET /api/v1/{vcs}/groups/{id}/is-member", Rule: token, VCS: vcs.GitLab, Endpoint: httpapi.JSON(decodeGroup, h.isMember)},
		{Pattern: "GET /api/v1/{vcs}/whoareyou", Rule: token, VCS: vcs.GitLab, Input: httpapi.Input{Query: []string{"installation_id"}}, Endpoint: httpapi.JSON(decodeWhoareyou, h.whoareyou)},
		{Pattern: "GET /api/v1/{vcs}/installations/{installation_id}/webhook", Rule: changes(hosted), VCS: vcs.GitLab, Endpoint: httpapi.JSON(decodeAddress, h.webhook)},
		{Pattern: "PUT /api/v1/{vcs}/installations/{installation_id}/access-token", Rule: hosted, VCS: vcs.GitLab, Input: httpapi.Input{Members: []string{"access_token"}}, Endpoint: httpapi.JSON(decodeAccessToken, h.putAccessToken)},
	}
}

// decodeGroup reads the group that the path variable id names.
func decodeGroup(r *http.Request) (vcs.Installation, error) {
	of := groupOf(vcs.ID(r.PathValue("id")))
	return of, access.CheckInstallation(of)
}

// groupOf returns the installation of a group.
func groupOf(id vcs.ID) vcs.Installation { return vcs.Installation{VCS: vcs.GitLab, ID: id} }
