package main

import (
	"log/slog"
	"net/http"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/ratelimit"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/loginhost"
	"github.com/opsplane/opsplane/shared/login/membership"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/vcs"
)

// callbacks are the paths to which the VCSs send browsers back.
var callbacks = map[vcs.VCS]string{vcs.GitHub: "/api/github/v1/callback", vcs.GitLab: "/api/v1/gitlab/callback"}

// login holds what the routes need.
type login struct {
	loginHosts map[vcs.VCS]loginhost.Host // by VCS; only those that are configured
	box        *sealed.Box
	people     membership.Memberships
	sessions   *session.Store
	grants     *grant.Store
	attempts   *ratelimit.Store
	failures   int // maximum failed logins of an address in ten minutes; 0 means no limit
	log        *slog.Logger
}

// public needs no credential, because a login is the way to get one.
var public = access.Rule{Public: true}

// callback is what a VCS sends back through the browser. A VCS adds parameters of
// its own, such as iss, scope, setup_action, error_description and error_uri. A
// client must ignore parameters that it does not know (RFC 6749, section 4.1.2).
var callback = httpapi.Input{
	Query:      []string{"code", "state", "error", "installation_id"},
	OtherQuery: "RFC 6749, section 4.1.2: the client must ignore unrecognized response parameters",
}

// routes lists the function's routes. GitHub's callback is outside of /api/v1,
// where Apps of this kind have always had it.
func routes(l *login) []httpapi.Route {
	return []httpapi.Route{
		{Pattern: "GET /api/v1/{vcs}/login", Rule: public, Input: httpapi.Input{Query: []string{"installation_id"}}, Endpoint: httpapi.Respond(l.decodeStart, l.start), ErrorPage: errorPage},
		{Pattern: "GET /api/v1/{vcs}/callback", Rule: public, Input: callback, Endpoint: httpapi.Respond(l.decodeCallback(vcs.GitLab), l.callback), ErrorPage: errorPage},
		{Pattern: "GET /api/github/v1/callback", Rule: public, Input: callback, Endpoint: httpapi.Respond(l.decodeCallback(vcs.GitHub), l.callback), ErrorPage: errorPage},
	}
}

// redirect sends a browser to another address, with cookies.
func redirect(to string, cookies ...*http.Cookie) httpapi.Redirect {
	return httpapi.Redirect{Status: http.StatusSeeOther, Location: to, Cookies: cookies}
}

// installationOf reads the id of an installation that the person has just created. It
// is empty if the request names none.
func installationOf(r *http.Request, system vcs.VCS) (vcs.ID, error) {
	query := httpapi.NewQuery(r)
	id := vcs.ID(query.String("installation_id", ""))
	if query.Has("installation_id") && access.CheckInstallation(vcs.Installation{VCS: system, ID: id}) != nil {
		return "", fault.Invalidf("INVALID_PARAMETER", "query parameter installation_id must be the number of an installation")
	}
	return id, nil
}
