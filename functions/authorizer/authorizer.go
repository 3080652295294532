package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/credential/accesstoken"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/runtoken"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs"
)

// refusal says why a credential is refused, as a text for the log.
type refusal string

// Error implements error.
func (r refusal) Error() string { return string(r) }

// storageTimeout limits all storage calls for one request. So the function responds
// before the gateway and Lambda end the call: a function that is killed loses what
// it remembers.
const storageTimeout = 3 * time.Second

// authorizer finds out who holds a credential.
type authorizer struct {
	domain    accesstoken.Domain
	directory directory
	sessions  *session.Store
	authority authority
	revoked   revocations
	// runs reads what decides about the token of a run: runstore.Store.Bearer.
	runs func(context.Context, run.ID) (runstore.Bearer, error)
	// public is the address under which users reach the API. If it is empty, the
	// address is the one that a request came to.
	public string
	log    *slog.Logger
	now    func() time.Time
}

// handle handles one request of the gateway. It returns a policy that allows or
// denies. If it allows, it also returns the caller for the function behind. An
// error means that the caller could not be identified; the gateway then responds
// with 500.
func (a *authorizer) handle(ctx context.Context, event request) (events.APIGatewayCustomAuthorizerResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	stage, err := stageARN(event.MethodArn)
	if err != nil {
		return events.APIGatewayCustomAuthorizerResponse{}, err
	}
	caller, err := a.identify(ctx, event)
	var refused refusal
	switch {
	case errors.As(err, &refused):
		a.report(ctx, event, slog.LevelInfo, outcomeRefused, string(refused))
		return policy("Deny", stage, "anonymous"), nil
	case err != nil:
		a.report(ctx, event, slog.LevelError, outcomeFailed, err.Error())
		return events.APIGatewayCustomAuthorizerResponse{}, errors.New("the caller could not be identified")
	}
	response := policy("Allow", stage, caller.User)
	response.Context, err = caller.Context()
	return response, err
}

// identify returns who sends the request. It returns a refusal if the credential is
// not valid, and another error if that could not be found out.
func (a *authorizer) identify(ctx context.Context, event request) (access.Caller, error) {
	target := targetOf(event)
	// If a request has both, the header decides, because a browser sends the cookie
	// without being asked.
	if len(values(event, "Authorization")) == 0 {
		return a.session(ctx, event, target)
	}
	credential, err := bearer(event)
	if err != nil {
		return access.Caller{}, err
	}
	switch {
	case strings.HasPrefix(credential, apikey.Prefix):
		return a.apiKey(ctx, credential, target)
	case strings.HasPrefix(credential, runtoken.Prefix):
		return a.runToken(ctx, credential)
	}
	return a.accessToken(ctx, credential, target)
}

// targetOf returns what the request acts on.
func targetOf(event request) vcs.Installation {
	return vcs.Installation{VCS: vcs.VCS(event.PathParameters["vcs"]), ID: vcs.ID(event.PathParameters["installation_id"])}
}

// accessToken identifies the caller of a token. It makes no storage call while the
// remembered data is fresh, unless the user has too many memberships for a token.
func (a *authorizer) accessToken(ctx context.Context, token string, target vcs.Installation) (access.Caller, error) {
	caller, err := a.domain.Verify(token, a.now(), func(kid string) (ed25519.PublicKey, error) {
		return a.authority.key(ctx, kid, a.now)
	})
	if errors.Is(err, errUnread) {
		return access.Caller{}, err
	}
	if err != nil {
		return access.Caller{}, refusal(err.Error())
	}
	revoked, err := a.revoked.has(ctx, caller, a.now)
	if err != nil {
		return access.Caller{}, err
	}
	if revoked {
		return access.Caller{}, refusal("the token's API key is revoked")
	}
	if target.ID == "" {
		return caller, nil
	}
	memberships := caller.Memberships
	if caller.Partial {
		if memberships, err = a.memberships(ctx, caller); err != nil {
			return access.Caller{}, err
		}
	}
	return caller.Narrow(memberships, target), nil
}

// apiKey identifies the caller of an API key, with one storage call.
func (a *authorizer) apiKey(ctx context.Context, text string, target vcs.Installation) (access.Caller, error) {
	secret, err := apikey.Parse(text)
	if err != nil {
		return access.Caller{}, refusal(err.Error())
	}
	key, owner, err := a.directory.find(ctx, secret)
	if err != nil {
		return access.Caller{}, err
	}
	if !key.LiveAt(a.now()) {
		return access.Caller{}, refusal("the API key is revoked or expired")
	}
	caller := access.Caller{Kind: access.KindAPIKey, User: key.User, Key: key.ID, Capabilities: key.Capabilities}
	if !key.ExpiresAt.IsZero() {
		caller.Expires = key.ExpiresAt.Unix()
	}
	if !key.LastUsedAt.IsZero() {
		caller.LastUsed = key.LastUsedAt.Unix()
	}
	memberships := owner.MembershipsFor(caller, a.now())
	if target.ID != "" {
		return caller.Narrow(memberships, target), nil
	}
	return caller.Carry(memberships), nil
}

// runToken identifies the caller of a run's token, with one storage call. The token
// stays valid when the run has ended, because a runner may repeat its last request.
// The caller says whether the run has ended, and each route decides.
func (a *authorizer) runToken(ctx context.Context, token string) (access.Caller, error) {
	id, ok := runtoken.RunOf(token)
	if !ok {
		return access.Caller{}, refusal("not the form of a run's token")
	}
	bearer, err := a.runs(ctx, id)
	if errors.Is(err, fault.ErrNotFound) || err == nil && !runtoken.Matches(token, bearer.Hash) {
		return access.Caller{}, refusal("unknown token of a run")
	}
	if err != nil {
		return access.Caller{}, err
	}
	return access.OfRun(string(id), bearer.Installation, bearer.State.Active()), nil
}

// session identifies the caller of a session. It makes one storage call, and
// another one on a route of an installation. On other routes, the function behind
// reads the user, and checks whether the user still has the session's account.
func (a *authorizer) session(ctx context.Context, event request, target vcs.Installation) (access.Caller, error) {
	text, err := cookie(event)
	if err != nil {
		return access.Caller{}, err
	}
	fromOwnPage, err := checkOrigin(event, a.public)
	if err != nil {
		return access.Caller{}, err
	}
	id, ok := session.IDOf(text)
	if !ok {
		return access.Caller{}, refusal("the cookie is not the cookie of a session")
	}
	found, err := a.sessions.Get(ctx, id)
	if errors.Is(err, session.ErrNotFound) || err == nil && !found.LiveAt(a.now()) {
		return access.Caller{}, refusal("the session is unknown or has ended")
	}
	if err != nil {
		return access.Caller{}, err
	}
	caller := access.Caller{
		Kind: access.KindSession, User: found.User, Key: found.ID, Capabilities: session.Capabilities(),
		Account: found.Account, Expires: found.Expires().Unix(), LastUsed: found.SeenAt.Unix(), Partial: true, FromOwnPage: fromOwnPage,
	}
	if target.ID == "" {
		return caller, nil
	}
	memberships, err := a.memberships(ctx, caller)
	if err != nil {
		return access.Caller{}, err
	}
	return caller.Narrow(memberships, target), nil
}

// memberships reads the memberships of the caller's user, with one call. It returns
// a refusal if the user does not exist any more, or no longer has the account of
// the session.
func (a *authorizer) memberships(ctx context.Context, caller access.Caller) ([]vcs.Installation, error) {
	u, err := a.directory.user(ctx, caller.User)
	if err == nil && !u.Admits(caller) {
		err = refusal("the session's account is no longer its user's")
	}
	return u.MembershipsFor(caller, a.now()), err
}

// The outcomes of a request that was not let in. They are also the names of
// metrics.
const (
	outcomeRefused = "refused"
	outcomeFailed  = "failed"
)

// report logs a request that was not let in. A caller that was let in appears in
// the log line of the function behind, with the same gateway_request_id. The line
// has the route's pattern and the installation, but neither the credential nor the
// path.
func (a *authorizer) report(ctx context.Context, event request, level slog.Level, outcome, why string) {
	var said []slog.Attr
	if outcome == outcomeRefused {
		refused := access.Refusal{Step: access.StepCredential, Why: why}
		said = refused.Attrs(targetOf(event))
	} else {
		said = []slog.Attr{slog.String("error", why)}
	}
	a.log.LogAttrs(ctx, level, "authorize", append(said,
		slog.String("request_id", telemetry.Invocation(ctx)),
		slog.String("gateway_request_id", event.RequestContext.RequestID),
		slog.String("route", event.HTTPMethod+" "+event.Resource),
		slog.Int(outcome, 1),
		telemetry.Metrics(a.now(), telemetry.Metric{Name: outcome, Unit: "Count"}),
	)...)
}
