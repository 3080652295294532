package access

import (
	"slices"
	"strings"
	"time"
)

// Scope is what part of the system a route acts on.
type Scope int

// The scopes.
const (
	// ScopeCaller is the caller itself: whoami, logout, its own tasks.
	ScopeCaller Scope = iota
	// ScopeVCS is one VCS, named by the path variable vcs.
	ScopeVCS
	// ScopeInstallation is one installation, named by the path variables vcs
	// and installation_id.
	ScopeInstallation
	// ScopeHosted is likewise one installation, but the caller need be no member
	// of it: it may not even be known yet, and the route asks its host what the
	// caller may do. The credential's restrictions hold.
	ScopeHosted
)

// Rule is what a route asks of its caller. The zero Rule asks for a valid
// access token or session.
type Rule struct {
	// Public routes ask for nothing and know no caller.
	Public bool
	// Kinds are the kinds of credential accepted; empty means DefaultKinds.
	Kinds []Kind
	// Needs are the capabilities of which the caller must hold every one.
	Needs []Capability
	// Scope is what the route acts on.
	Scope Scope
}

// DefaultKinds are the kinds of credential that a route accepts whose rule
// names none: all that stand for a user, which an API key does not.
func DefaultKinds() []Kind { return []Kind{KindAccessToken, KindSession} }

// Target is what one request acts on: the values of its path variables, empty
// where the route has none.
type Target struct {
	// VCS is the path variable vcs.
	VCS string
	// Installation is the path variable installation_id.
	Installation string
}

// VCSNames are the values that the path variable vcs may have.
func VCSNames() []string { return []string{"github", "gitlab"} }

// Authorize decides whether caller may use a route with this rule on this
// target at the given time. It answers nil, or a *Refusal that names the first
// thing that is missing.
func Authorize(caller Caller, rule Rule, target Target, now time.Time) error {
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

// list names kinds of credential.
func list(kinds []Kind) string {
	names := make([]string, len(kinds))
	for i, kind := range kinds {
		names[i] = string(kind)
	}
	return strings.Join(names, ", ")
}
