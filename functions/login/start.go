package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/vcs"
)

const (
	// loginTime is how long a person may take at the VCS.
	loginTime = 10 * time.Minute
	// loginCookie holds a login in progress, sealed. With this prefix browsers
	// accept the cookie only from this host ("Cookies: HTTP State Management
	// Mechanism", RFC 6265bis, section 4.1.3). Without it, another host of the
	// domain could set the cookie of its own login, and the person would end that
	// login.
	loginCookie = "__Host-login"
)

// pending is a login in progress, as the browser's cookie holds it. No table holds
// it. So the start of a login costs no storage, however often anybody asks for it.
type pending struct {
	VCS          vcs.VCS `json:"vcs"`
	State        string  `json:"state"`
	Verifier     string  `json:"verifier"`
	Redirect     string  `json:"redirect"`
	Installation vcs.ID  `json:"installation,omitempty"`
	Expires      int64   `json:"expires"` // Unix seconds
}

// place is the text that binds the sealed cookie to its use.
const place = "cookie login"

// startRequest asks to begin a login.
type startRequest struct {
	vcs          vcs.VCS
	installation vcs.ID // empty if the request names none
	base         string
}

func (l *login) decodeStart(r *http.Request) (startRequest, error) {
	system := vcs.VCS(r.PathValue("vcs"))
	if _, ok := l.loginHosts[system]; !ok {
		return startRequest{}, fault.ErrNotFound
	}
	id, err := installationOf(r, system)
	return startRequest{vcs: system, base: httpapi.Address(r), installation: id}, err
}

// start sends the browser to the VCS.
func (l *login) start(ctx context.Context, call httpapi.Call, q startRequest) (httpapi.Redirect, error) {
	p := l.loginHosts[q.vcs]
	begun := pending{
		VCS: q.vcs, State: session.NewState(), Verifier: session.NewState(), Redirect: q.base + callbacks[q.vcs],
		Installation: q.installation, Expires: call.Now.Add(loginTime).Unix(),
	}
	text, err := json.Marshal(begun)
	if err != nil {
		return httpapi.Redirect{}, fmt.Errorf("encode login: %w", err)
	}
	sealed, err := l.box.Seal(ctx, place, text)
	if err != nil {
		return httpapi.Redirect{}, err
	}
	return redirect(p.OAuth.AuthorizeURL(begun.State, begun.Verifier, begun.Redirect),
		session.Private(loginCookie, base64.RawURLEncoding.EncodeToString(sealed), loginTime)), nil
}

// underWay opens the cookie of the browser's login in progress. It returns false if
// there is none that is valid.
func (l *login) underWay(ctx context.Context, cookie string, now time.Time) (pending, bool, error) {
	sealed, err := base64.RawURLEncoding.DecodeString(cookie)
	if err != nil || cookie == "" {
		return pending{}, false, nil
	}
	text, err := l.box.Open(ctx, place, sealed)
	if unsealable(err) {
		return pending{}, false, nil
	}
	if err != nil {
		return pending{}, false, err
	}
	var begun pending
	if err := json.Unmarshal(text, &begun); err != nil {
		return pending{}, false, fmt.Errorf("decode login: %w", err)
	}
	return begun, now.Unix() < begun.Expires, nil
}
