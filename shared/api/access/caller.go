// Package access decides who may do what. The authorizer turns a credential into a
// Caller, every route has a Rule, and Authorize compares the two. No other place
// decides this. The package's invariant: a restriction (installation_id, vcs) only
// ever narrows, and a check that cannot be made refuses the request.
package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/vcs"
)

// Kind is the kind of credential that a request came with.
type Kind string

// The kinds of credential.
const (
	// KindAPIKey is a long-lived API key. It can be exchanged for an access
	// token, and it can ask who it belongs to. It can do nothing else.
	KindAPIKey Kind = "api_key"
	// KindAccessToken is a 60-second token.
	KindAccessToken Kind = "access_token"
	// KindSession is the cookie of a person who logged in at a VCS.
	KindSession Kind = "session"
)

// MaxMemberships is the largest number of memberships that are passed on with a
// caller. The gateway accepts at most 8 KB from an authorizer ("Amazon API Gateway
// quotas", AWS documentation), and the capabilities may fill half of that.
const MaxMemberships = 100

// Caller is who makes a request, as the authorizer established it.
type Caller struct {
	// Kind is the kind of credential.
	Kind Kind `json:"kind"`
	// User is the user's id, a lower-case UUID.
	User string `json:"user"`
	// Key is the id of the API key that was sent, or of the API key from which the
	// access token was made, or of the session.
	Key string `json:"key"`
	// Capabilities are those stored with the API key, or the ones that every
	// session has.
	Capabilities Set `json:"capabilities"`
	// Account is the account that the person of a session logged in with. It is
	// zero for other kinds. The session is valid as long as the account belongs to
	// the user.
	Account vcs.Account `json:"account,omitzero"`
	// FromOwnPage says that, according to the browser of a session, a page of this
	// server made the request. The browser states that with Sec-Fetch-Site or
	// Origin. See Rule.Changes.
	FromOwnPage bool `json:"from_own_page,omitempty"`
	// Memberships are the user's installations that the restrictions let the caller
	// reach. If the request's path names an installation, the authorizer passes on
	// only that one, because the gateway limits what an authorizer may pass on.
	Memberships []vcs.Installation `json:"memberships,omitempty"`
	// Partial says that Memberships were left out. The user has more than
	// MaxMemberships, or the caller is a session and its path names no
	// installation.
	Partial bool `json:"partial,omitempty"`
	// Expires is when the access token, the session or the API key ends, in Unix
	// seconds. Zero means an API key that never ends.
	Expires int64 `json:"expires,omitempty"`
	// LastUsed is when the use of the API key or session was last recorded, in Unix
	// seconds. It is zero if no use was recorded, and for access tokens.
	LastUsed int64 `json:"last_used,omitempty"`
}

// ContextKey is the member of the authorizer's context that holds the caller as
// JSON text. The gateway passes on only strings, numbers and booleans ("Output from
// an API Gateway Lambda authorizer", AWS documentation).
const ContextKey = "caller"

// Context returns the authorizer context for c.
func (c Caller) Context() (map[string]any, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode caller: %w", err)
	}
	return map[string]any{ContextKey: string(b)}, nil
}

// ErrNoCaller is what FromContext returns for a request that passed no authorizer.
var ErrNoCaller = errors.New("no caller in the authorizer context")

// FromContext reads the caller from the authorizer's context that the gateway
// passes on.
func FromContext(context map[string]any) (Caller, error) {
	text, ok := context[ContextKey].(string)
	if !ok {
		return Caller{}, ErrNoCaller
	}
	var c Caller
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return Caller{}, fmt.Errorf("decode caller: %w", err)
	}
	if c.Kind == "" || c.User == "" {
		return Caller{}, ErrNoCaller
	}
	return c, nil
}

// Carry returns c with the memberships that its restrictions let it reach. If they
// are more than MaxMemberships, it returns c with none, marked Partial.
func (c Caller) Carry(memberships []vcs.Installation) Caller {
	c.Memberships, c.Partial = nil, false
	for _, m := range memberships {
		if c.Within(m) {
			c.Memberships = append(c.Memberships, m)
		}
	}
	if len(c.Memberships) > MaxMemberships {
		c.Memberships, c.Partial = nil, true
	}
	return c
}

// Narrow returns c with the one membership that a request to the target needs. It
// returns c with none if all does not contain the target.
func (c Caller) Narrow(all []vcs.Installation, target vcs.Installation) Caller {
	c.Memberships, c.Partial = nil, false
	if slices.Contains(all, target) {
		c.Memberships = []vcs.Installation{target}
	}
	return c
}

// expired reports whether the credential has ended at the time now.
func (c Caller) expired(now time.Time) bool {
	return c.Expires != 0 && now.Unix() >= c.Expires
}

// Reaches reports whether c may act on the installation: c is a member, and no
// restriction excludes the installation.
func (c Caller) Reaches(i vcs.Installation) bool {
	return slices.Contains(c.Memberships, i) && c.Within(i)
}

// Within reports whether the restrictions of c allow the installation. c need
// not be a member of it.
func (c Caller) Within(i vcs.Installation) bool {
	ids := c.Capabilities.Installations()
	return c.reachesVCS(i.VCS) && (len(ids) == 0 || slices.Contains(ids, i.ID))
}

// reachesVCS reports whether the restrictions of c allow the VCS.
func (c Caller) reachesVCS(v vcs.VCS) bool {
	allowed := c.Capabilities.VCSs()
	return len(allowed) == 0 || slices.Contains(allowed, v)
}
