// Package access decides who may do what. A credential becomes a Caller in
// the authorizer; every route has a Rule; Authorize is the only place where
// the two meet. Its invariant: a restriction (installation_id, vcs) only ever
// narrows, and a check that cannot be made refuses.
package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind is the kind of credential that a request came with.
type Kind string

// The kinds of credential.
const (
	// KindAPIKey is a long-lived API key. It can be exchanged for an access
	// token, and say who it belongs to; nothing more.
	KindAPIKey Kind = "api_key"
	// KindAccessToken is a 60-second token.
	KindAccessToken Kind = "access_token"
	// KindSession is the cookie of a person who logged in at a VCS.
	KindSession Kind = "session"
)

// Membership ties a user to one installation of one VCS. Its text form,
// "github/42", is what tokens and the authorizer's context carry: both are
// bounded in size.
type Membership struct {
	// VCS is "github" or "gitlab".
	VCS string
	// Installation is the installation's id, decimal digits.
	Installation string
}

// MarshalText writes the text form.
func (m Membership) MarshalText() ([]byte, error) {
	return []byte(m.VCS + "/" + m.Installation), nil
}

// UnmarshalText reads the text form.
func (m *Membership) UnmarshalText(text []byte) error {
	vcs, installation, ok := strings.Cut(string(text), "/")
	if !ok {
		return fmt.Errorf("membership %q is not of the form VCS/INSTALLATION", text)
	}
	*m = Membership{VCS: vcs, Installation: installation}
	return nil
}

// MaxMemberships is how many memberships travel with a caller. The gateway
// takes at most 8 KB from an authorizer ("Amazon API Gateway quotas", AWS
// documentation), of which the capabilities may fill half.
const MaxMemberships = 100

// Caller is who makes a request, as the authorizer established it.
type Caller struct {
	// Kind is the kind of credential.
	Kind Kind `json:"kind"`
	// User is the user's id, a lower-case UUID.
	User string `json:"user"`
	// Key is the id of the API key presented, or of the one behind the access
	// token, or of the session.
	Key string `json:"key"`
	// Capabilities are those stored with the API key, or those of every session.
	Capabilities Set `json:"capabilities"`
	// VCS and Account are, of a session, where its person logged in and the id of
	// the account there. They are good for as long as the account is the user's.
	VCS     string `json:"vcs,omitempty"`
	Account string `json:"account,omitempty"`
	// Memberships are the user's installations, as far as the restrictions
	// let the caller reach them. The authorizer narrows them to the one that
	// the request's path names, because the gateway bounds what an authorizer
	// may hand on.
	Memberships []Membership `json:"memberships,omitempty"`
	// Partial says that Memberships were left out, since the user has more than
	// MaxMemberships, or the caller is a session and its path names none.
	Partial bool `json:"partial,omitempty"`
	// Expires is when the access token or session ends, or, for an API key, when
	// the key itself does (zero: never). Unix seconds.
	Expires int64 `json:"expires,omitempty"`
	// LastUsed is when the API key or session was last recorded as used, Unix
	// seconds; zero if never, and for access tokens.
	LastUsed int64 `json:"last_used,omitempty"`
}

// ContextKey is the member of the authorizer's context that holds the caller,
// as JSON text (the gateway carries only strings, numbers and booleans:
// "Output from an API Gateway Lambda authorizer", AWS documentation).
const ContextKey = "caller"

// Context returns the authorizer context for c.
func (c Caller) Context() (map[string]any, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode caller: %w", err)
	}
	return map[string]any{ContextKey: string(b)}, nil
}

// ErrNoCaller is answered by FromContext when the request has passed no
// authorizer.
var ErrNoCaller = errors.New("no caller in the authorizer context")

// FromContext reads the caller from what the gateway passes on of the
// authorizer's context.
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

// Carry returns c with those of the memberships that its restrictions leave,
// if they are few enough to travel, or else with none and the mark that says
// so.
func (c Caller) Carry(memberships []Membership) Caller {
	c.Memberships, c.Partial = nil, false
	for _, m := range memberships {
		if c.within(m) {
			c.Memberships = append(c.Memberships, m)
		}
	}
	if len(c.Memberships) > MaxMemberships {
		c.Memberships, c.Partial = nil, true
	}
	return c
}

// Narrow returns c with at most the one membership that a request to target
// can make use of. all are the memberships to look among.
func (c Caller) Narrow(all []Membership, target Target) Caller {
	wanted := Membership(target)
	c.Memberships, c.Partial = nil, false
	if slices.Contains(all, wanted) {
		c.Memberships = []Membership{wanted}
	}
	return c
}

// expired reports whether the credential has ended at now.
func (c Caller) expired(now time.Time) bool {
	return c.Expires != 0 && now.Unix() >= c.Expires
}

// Reaches reports whether c may act on the installation: it is a member, and
// no restriction excludes it.
func (c Caller) Reaches(target Target) bool {
	m := Membership(target)
	return slices.Contains(c.Memberships, m) && c.within(m)
}

// Within reports whether no restriction of c excludes the installation, of
// which c need not be a member.
func (c Caller) Within(target Target) bool { return c.within(Membership(target)) }

// within reports whether no restriction excludes the installation.
func (c Caller) within(m Membership) bool {
	ids := c.Capabilities.Installations()
	return c.reachesVCS(m.VCS) && (len(ids) == 0 || slices.Contains(ids, m.Installation))
}

// reachesVCS reports whether no restriction excludes the VCS.
func (c Caller) reachesVCS(vcs string) bool {
	allowed := c.Capabilities.VCSs()
	return len(allowed) == 0 || slices.Contains(allowed, vcs)
}
