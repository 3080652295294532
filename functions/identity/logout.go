package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/login/session"
)

// loggedOut is the response to a logout.
type loggedOut struct {
	httpapi.Empty
	session bool
}

// SetHeaders removes the cookie of a session from the browser.
func (l loggedOut) SetHeaders(h http.Header) {
	if l.session {
		h.Add("Set-Cookie", session.Forget().String())
	}
}

// logout ends the caller's session for ever, in all browsers. For an access token
// it does nothing: a token ends by itself, and a key is revoked by another route.
func (i identity) logout(ctx context.Context, call httpapi.Call, _ struct{}) (loggedOut, error) {
	if call.Caller.Kind != access.KindSession {
		return loggedOut{}, nil
	}
	err := i.sessions.End(ctx, call.Caller.Key, call.Author())
	if errors.Is(err, session.ErrNotFound) {
		err = nil // another request ended it after the authorizer read it
	}
	return loggedOut{session: true}, err
}

// see records the use of a session, at most once in session.SeenInterval. It
// refuses a session that ended after the authorizer read it.
func (i identity) see(ctx context.Context, call httpapi.Call) error {
	if call.Caller.Kind != access.KindSession || call.Now.Sub(time.Unix(call.Caller.LastUsed, 0)) < session.SeenInterval {
		return nil
	}
	err := i.sessions.See(ctx, call.Caller.Key, call.Author())
	if errors.Is(err, session.ErrNotFound) {
		return access.Refuse(access.StepCredential, "the session has ended meanwhile")
	}
	return err
}
