package access

import (
	"slices"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/vcs"
)

// Scope says on what part of the system a route acts.
type Scope int

// The scopes.
const (
	// ScopeCaller is only the caller: whoami, logout, the caller's own tasks.
	ScopeCaller Scope = iota
	// ScopeVCS is one VCS, named by the path variable vcs.
	ScopeVCS
	// ScopeInstallation is one installation, named by the path variables vcs
	// and installation_id.
	ScopeInstallation
	// ScopeHosted is one installation too, but the caller need not be a member. The
	// server may not know the installation yet, and the route asks the host what
	// the caller may do. The credential's restrictions apply.
	ScopeHosted
)

// Rule is what a route requires of its caller. The zero Rule requires a valid
// access token or session.
type Rule struct {
	// Public routes require nothing and know no caller.
	Public bool
	// Kinds are the kinds of credential that the route accepts. Empty means
	// DefaultKinds.
	Kinds []Kind
	// Needs are capabilities. The caller must hold all of them.
	Needs []Capability
	// TokenNeeds are capabilities that an access token must hold besides. A session
	// does not need them: what its person may do at the host decides.
	TokenNeeds []Capability
	// TokenNeedsOne are capabilities of which an access token must hold at least one.
	// The operation checks which of them the request needs. Empty needs none.
	TokenNeedsOne []Capability
	// Scope is what the route acts on.
	Scope Scope
	// Changes says that the route changes something although its method only reads:
	// the route stores what it finds at a host. A session needs Caller.FromOwnPage
	// for such a route. For all methods except GET, HEAD and OPTIONS the authorizer
	// requires that already.
	Changes bool
	// EndedRun says that the route also accepts the token of a run that has ended.
	// Other routes that accept tokens of runs need a run that is queued or running.
	EndedRun bool
}

// DefaultKinds returns the kinds of credential that a route accepts if its rule
// names none. An API key is not one of them: it stands for no user until it is
// exchanged for an access token. The token of a run is not one of them: it stands
// for no user at all.
func DefaultKinds() []Kind { return []Kind{KindAccessToken, KindSession} }

// Authorize decides whether the caller may use a route with this rule on this
// target at the time now. The target holds the path variables vcs and
// installation_id as they were sent. Each is empty if the route does not have it.
// Authorize returns nil, or a *Refusal that names the first thing that is missing.
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
	case caller.Kind == KindRun && !caller.Active && !rule.EndedRun:
		return Refuse(StepCredential, "the run of the token has ended")
	case rule.Changes && caller.Kind == KindSession && !caller.FromOwnPage:
		return Refuse(StepCredential, "the browser does not say that a page of this server sent the request, and the route changes something")
	case !caller.Capabilities.HasAll(rule.Needs):
		return Refuse(StepCapability, "the credential lacks %s", caller.Capabilities.missing(rule.Needs))
	case caller.Kind != KindSession && !caller.Capabilities.HasAll(rule.TokenNeeds):
		return Refuse(StepCapability, "the credential lacks %s", caller.Capabilities.missing(rule.TokenNeeds))
	case caller.Kind != KindSession && len(rule.TokenNeedsOne) > 0 && !slices.ContainsFunc(rule.TokenNeedsOne, caller.Capabilities.Has):
		return Refuse(StepCapability, "the credential lacks each of %s", caller.Capabilities.missing(rule.TokenNeedsOne))
	case rule.Scope >= ScopeVCS && !caller.reachesVCS(target.VCS),
		rule.Scope >= ScopeInstallation && !caller.Within(target):
		return Refuse(StepRestriction, "the credential is restricted to %s", caller.Capabilities.restrictions())
	case rule.Scope == ScopeInstallation && !(target.ID.Valid() && caller.Reaches(target)):
		return Refuse(StepMembership, "the user is not a member of the installation, as far as the credential says")
	}
	return nil
}

// list returns the names of kinds of credential, separated by commas.
func list(kinds []Kind) string {
	names := make([]string, len(kinds))
	for i, kind := range kinds {
		names[i] = string(kind)
	}
	return strings.Join(names, ", ")
}
