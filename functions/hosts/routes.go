package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/login/person"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/grouptoken"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

// hosts is what the operations need.
type hosts struct {
	people    person.Memberships
	providers map[string]person.Provider // by VCS: those that are configured
	grants    *session.Grants
	gitlab    *gitlabhost.Host
	groups    *grouptoken.Store
	allowed   allowed
	words     func(context.Context, time.Time) ([]string, error) // of the secret of webhook tokens, the newest first
	patience  time.Duration                                      // of a list for its VCS; 0 is askTime
	log       *slog.Logger
}

// token of the VCS. What its person may do with a group that need not be known
// here, GitLab says; but a token that a run has may not give a group's webhook or
// token away, and so these need the capability that people's credentials have.
var (
	token  = access.Rule{Scope: access.ScopeVCS}
	hosted = access.Rule{Needs: []access.Capability{access.AccessTokenCreate}, Scope: access.ScopeHosted}
)

// changes returns the rule of a read that stores what it finds at the host.
func changes(rule access.Rule) access.Rule {
	rule.Changes = true
	return rule
}

// routes lists the function's routes. The list of installations has two paths:
// one is what clients of GitHub ask for, the other what those of GitLab do.
func routes(h *hosts) []httpapi.Route {
	list := httpapi.JSON(vcsOf, h.list)
	return []httpapi.Route{
		{Pattern: "GET /api/v1/user/{vcs}/installations", Rule: changes(token), Endpoint: list},
		{Pattern: "GET /api/v1/{vcs}/installations", Rule: changes(token), Endpoint: list},
		{Pattern: "GET /api/v1/{vcs}/groups", Rule: token, Endpoint: httpapi.JSON(gitlabOnly, h.listGroups)},
		{Pattern: "GET /api/v1/{vcs}/groups/{id}/is-member", Rule: token, Endpoint: httpapi.JSON(groupOf("id"), h.isMember)},
		{Pattern: "GET /api/v1/{vcs}/whoareyou", Rule: token, Input: httpapi.Input{Query: []string{"installation_id"}}, Endpoint: httpapi.JSON(decodeWhoareyou, h.whoareyou)},
		{Pattern: "GET /api/v1/{vcs}/installations/{installation_id}/webhook", Rule: changes(hosted), Endpoint: httpapi.JSON(h.decodeWebhook, h.webhook)},
		{Pattern: "PUT /api/v1/{vcs}/installations/{installation_id}/access-token", Rule: hosted, Input: httpapi.Input{Members: []string{"access_token"}}, Endpoint: httpapi.JSON(decodeAccessToken, h.putAccessToken)},
	}
}

func vcsOf(r *http.Request) (string, error) { return r.PathValue("vcs"), nil }

// gitlabOnly lets routes through that GitHub does not have.
func gitlabOnly(r *http.Request) (struct{}, error) {
	if r.PathValue("vcs") != "gitlab" {
		return struct{}{}, fault.ErrNotFound
	}
	return struct{}{}, nil
}

// groupOf reads a group's id from a path variable.
func groupOf(name string) func(*http.Request) (string, error) {
	return func(r *http.Request) (string, error) {
		if _, err := gitlabOnly(r); err != nil {
			return "", err
		}
		id := r.PathValue(name)
		return id, installation.ValidID("gitlab", id)
	}
}
