package main

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
)

// callbackRequest is the request of a browser that comes back from a VCS.
type callbackRequest struct {
	vcs               vcs.VCS
	installation      vcs.ID // empty if the request names none
	base, code, state string
	// refused is the VCS's error if there is no grant. It is empty if there may be
	// one.
	refused string
	// cookie is the browser's cookie of the login in progress. It is empty if there
	// is none.
	cookie string
	// former are the ids of the sessions that the browser had before.
	former []string
}

// maxFormer is the maximum number of sessions that a login ends. A browser has one
// session. A second one can only come from a hostile site in our domain.
const maxFormer = 2

// consoleState is the state that a console sends if it begins a login at GitLab
// itself. It is the same for everybody, so it proves nothing.
const consoleState = "gitlab_login"

// decodeCallback reads a request of the VCS's callback.
func (l *login) decodeCallback(system vcs.VCS) func(*http.Request) (callbackRequest, error) {
	return func(r *http.Request) (callbackRequest, error) {
		_, configured := l.loginHosts[system]
		if named := vcs.VCS(r.PathValue("vcs")); !configured || named != "" && named != system {
			return callbackRequest{}, fault.ErrNotFound
		}
		query := httpapi.NewQuery(r)
		q := callbackRequest{vcs: system, base: httpapi.Address(r), code: query.String("code", ""), state: query.String("state", ""), refused: refusalIn(query)}
		if cookies := r.CookiesNamed(loginCookie); len(cookies) == 1 {
			q.cookie = cookies[0].Value
		}
		for _, c := range r.CookiesNamed(session.Cookie) {
			if id, ok := session.IDOf(c.Value); ok && len(q.former) < maxFormer {
				q.former = append(q.former, id)
			}
		}
		var err error
		q.installation, err = installationOf(r, system)
		return q, err
	}
}

var (
	errNotBegun = fault.Invalidf("LOGIN_NOT_BEGUN", "this browser has no such login under way: the login was started in another browser or at another address of this server, or more than ten minutes ago, or it has ended; log in again, with cookies on")
	errRefused  = fault.Invalidf("LOGIN_REFUSED", "the VCS gave no access to your account; log in again")
)

// refusalIn returns the error with which a VCS sends the browser back.
func refusalIn(query *httpapi.Query) string {
	if !query.Has("error") {
		return ""
	}
	return cmp.Or(query.String("error", ""), "unnamed")
}

// refusals are errors that say more than that the person gave no access. They come
// from OAuth (RFC 6749, section 4.1.2.1) and from GitHub ("Troubleshooting
// authorization request errors", GitHub documentation).
var refusals = map[string]*fault.Error{
	"access_denied": fault.Invalidf("LOGIN_REFUSED", "this server got no access to your account, from you or from the VCS; log in again to allow it"),
	"invalid_scope": fault.Invalidf("LOGIN_REFUSED", "the application at the VCS lacks the scope that a login requests: "+
		"have the operator of this server add read_api to it at GitLab, then log in again"),
	"redirect_uri_mismatch": fault.Invalidf("LOGIN_REFUSED", "the application at the VCS does not know the callback address of this server: "+
		"have the operator of this server enter it there, then log in again"),
	"application_suspended":   fault.Invalidf("LOGIN_REFUSED", "the application is suspended at the VCS: tell the operator of this server"),
	"temporarily_unavailable": fault.Invalidf("LOGIN_REFUSED", "the VCS is too busy to log you in; log in again later"),
	"server_error":            fault.Invalidf("LOGIN_REFUSED", "the VCS had an error; log in again later"),
}

// callback ends a login.
func (l *login) callback(ctx context.Context, call httpapi.Call, q callbackRequest) (httpapi.Redirect, error) {
	if q.refused != "" {
		return httpapi.Redirect{}, cmp.Or(refusals[q.refused], errRefused)
	}
	// An attacker could make a person's browser send this request with the
	// attacker's code. Then the person would work in the attacker's account. So a
	// code without our state is never used: the login begins again here. The VCS
	// knows the person by now, so no further click is needed. Only GitLab may ask
	// the person to allow this login's scope.
	if q.state == "" || q.state == consoleState {
		return redirect(l.again(q)), nil
	}
	begun, ok, err := l.underWay(ctx, q.cookie, call.Now)
	if err != nil {
		return httpapi.Redirect{}, err
	}
	if !ok || begun.VCS != q.vcs || subtle.ConstantTimeCompare([]byte(begun.State), []byte(q.state)) != 1 || q.code == "" {
		return httpapi.Redirect{}, errNotBegun
	}
	author := call.Author()
	author.Principal = "anonymous"
	err = l.sessions.Spend(ctx, begun.State, time.Unix(begun.Expires, 0), author)
	if errors.Is(err, session.ErrSpent) {
		return httpapi.Redirect{}, errNotBegun
	}
	if err != nil {
		return httpapi.Redirect{}, err
	}
	if err := l.count(ctx, author); err != nil {
		return httpapi.Redirect{}, err
	}
	of, text, err := l.signIn(ctx, q, begun, author)
	if !errors.Is(err, errRefused) {
		l.uncount(ctx, author) // the other failures are not the caller's fault
	}
	if err != nil {
		return httpapi.Redirect{}, err
	}
	author.Principal = of.User
	l.endFormer(ctx, q.former, author)
	to := q.base + "/"
	if id := cmp.Or(q.installation, begun.Installation); id != "" {
		to += "?installation_id=" + string(id)
	}
	return redirect(to, session.Remember(text), session.Private(loginCookie, "", -1)), nil
}

// again returns the address at which the login begins again.
func (l *login) again(q callbackRequest) string {
	to := q.base + "/api/v1/" + string(q.vcs) + "/login"
	if q.installation != "" {
		to += "?" + url.Values{"installation_id": {string(q.installation)}}.Encode()
	}
	return to
}

// signIn exchanges the code. It returns who has logged in, and the text of a new
// session.
func (l *login) signIn(ctx context.Context, q callbackRequest, begun pending, author change.Author) (of grant.Holder, text string, err error) {
	p := l.loginHosts[q.vcs]
	given, err := p.OAuth.Exchange(ctx, q.code, begun.Verifier, begun.Redirect)
	if errors.Is(err, grant.ErrRefused) {
		return of, "", errRefused
	}
	if err != nil {
		return of, "", err
	}
	account, err := p.People.Whoami(ctx, given.Access)
	if err != nil {
		return of, "", err
	}
	identity := user.Identity{ID: account.ID, Login: account.Login, AvatarURL: account.AvatarURL}
	u, err := l.people.Users.SignIn(ctx, q.vcs, identity, author)
	if err != nil {
		return of, "", err
	}
	author.Principal = u.ID
	of = grant.Holder{User: u.ID, Account: vcs.Account{VCS: q.vcs, ID: identity.ID}}
	if err := l.grants.Put(ctx, of, given, author); err != nil {
		return of, "", err
	}
	if _, err := l.people.Renew(ctx, author, p.People, of, given.Access); err != nil {
		// The console lists the installations next, and that asks the host again.
		l.log.LogAttrs(ctx, slog.LevelWarn, "memberships not read at login",
			slog.String("request_id", author.Request), slog.String("error", err.Error()))
	}
	text, _, err = l.sessions.Create(ctx, of.User, of.Account, author)
	return of, text, err
}

// endFormer ends the sessions that the browser had before. The browser forgets
// them, so nobody could log them out later. If that fails, the new session is valid
// all the same.
func (l *login) endFormer(ctx context.Context, ids []string, author change.Author) {
	for _, id := range ids {
		if err := l.sessions.End(ctx, id, author); err != nil && !errors.Is(err, session.ErrNotFound) {
			l.log.LogAttrs(ctx, slog.LevelWarn, "former session not ended",
				slog.String("request_id", author.Request), slog.String("error", err.Error()))
		}
	}
}

func unsealable(err error) bool { return errors.Is(err, sealed.ErrUnsealable) }
