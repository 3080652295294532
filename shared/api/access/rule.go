package access

import (
	"slices"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/vcs"
)

// Scope is what part of the system a route acts on.
type Scope int

// The scopes.
const (
	// ScopeCaller is the caller alone: whoami, logout, the caller's own tasks.
	ScopeCaller Scope = iota
	// ScopeVCS is one VCS, named by the path variable vcs.
	ScopeVCS
	// ScopeInstallation is one installation, named by the path variables vcs
	// and installation_id.
	ScopeInstallation
	// ScopeHosted is one installation too, but the caller need not be a member: the
	// installation may not be known yet, and the route asks the host what the caller
	// may do. The credential's restrictions hold.
	ScopeHosted
)

// Rule is what a route asks of its caller. The zero Rule asks for a valid
// access token or session.
type Rule struct {
	// Public routes ask for nothing and know no caller.
	Public bool
	// Kinds are the kinds of credential accepted; empty means DefaultKinds.
	Kinds []Kind
	// Needs are capabilities. The caller must hold all of them.
	Needs []Capability
	// Scope is what the route acts on.
	Scope Scope
	// Changes says that the route changes something although its method reads: it
	// stores what it finds at a host. A session needs Caller.FromOwnPage for it. For
	// all other methods but GET, HEAD and OPTIONS the authorizer asks that already.
	Changes bool
}

// DefaultKinds returns the kinds of credential that a route accepts if its rule
// names none. An API key is not one of them: it stands for no user until it is
// exchanged for an access token.
func DefaultKinds() []Kind { return []Kind{KindAccessToken, KindSession} }

// Authorize decides whether the caller may use a route with this rule on this
// target at a time. The target has the path variables vcs and installation_id as
// they were sent; each is empty where the route has none. Authorize returns nil,
// or a *Refusal that names the first thing that is missing.
func Authorize(caller Caller, rule Rule, target vcs.Installation, now time.Time) error {
	if rule.Public {
		return nil
	}
	kinds := rule.Kinds
	if len(kinds) == 0 {
		kinds = DefaultKinds()
	}
	switch {
	case !slices.Contains(kinds, caller.Kind):
		return Refuse(StepCredential, "the credential is of the kind %s, the route takes %s", caller.Kind, list(kinds))
	case caller.expired(now):
		return Refuse(StepCredential, "the credential has expired")
	case rule.Changes && caller.Kind == KindSession && !caller.FromOwnPage:
		return Refuse(StepCredential, "the browser does not say that a page of this server sent the request, and the route changes something")
	case !caller.Capabilities.HasAll(rule.Needs):
		return Refuse(StepCapability, "the credential lacks %s", caller.Capabilities.missing(rule.Needs))
	case rule.Scope >= ScopeVCS && !caller.reachesVCS(target.VCS),
		rule.Scope >= ScopeInstallation && !caller.Within(target):
		return Refuse(StepRestriction, "the credential is restricted to %s", caller.Capabilities.restrictions())
	case rule.Scope == ScopeInstallation && !caller.Reaches(target):
		return Refuse(StepMembership, "the user is no member of the installation, as far as the credential knows")
	}
	return nil
}

// list returns the names of kinds of credential, with commas between them.
func list(kinds []Kind) string {
	names := make([]string, len(kinds))
	for i, kind := range kinds {
		names[i] = string(kind)
	}
	return strings.Join(names, ", ")
}
