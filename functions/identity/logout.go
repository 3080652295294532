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

// loggedOut is the answer to a logout.
type loggedOut struct {
	httpapi.Empty
	session bool
}

// SetHeaders takes the cookie of a session out of the browser.
func (l loggedOut) SetHeaders(h http.Header) {
	if l.session {
		h.Add("Set-Cookie", session.Forget().String())
	}
}

// logout ends the caller's session, for good and everywhere. An access token
// has none and ends by itself; a key is revoked.
func (i identity) logout(ctx context.Context, call httpapi.Call, _ struct{}) (loggedOut, error) {
	if call.Caller.Kind != access.KindSession {
		return loggedOut{}, nil
	}
	err := i.sessions.End(ctx, call.Caller.Key, call.Author())
	if errors.Is(err, session.ErrNotFound) {
		err = nil // another request has ended it since the authorizer looked
	}
	return loggedOut{session: true}, err
}

// see records the use of a session, at most once in session.SeenInterval, and
// refuses one that was ended since the authorizer looked.
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
