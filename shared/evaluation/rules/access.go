package rules

import (
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/repoconfig"
)

// Operation is what somebody wants to do with dirspaces.
type Operation string

// The operations.
const (
	OpPlan             Operation = "plan"
	OpApply            Operation = "apply"
	OpApplyAutoapprove Operation = "apply-autoapprove"
	OpApplyForce       Operation = "apply-force"
)

// Actor is somebody who asks for an operation, with what the host says of people.
type Actor struct {
	Login  string
	People People
	// Approvers are the logins of those who approve the pull request.
	Approvers []string
}

// in reports whether one of a list of people is the actor.
func (a Actor) in(list []string) bool {
	return slices.ContainsFunc(list, func(entry string) bool { return a.People.Is(a.Login, entry) })
}

// approvedBy reports whether one of a list of people approves.
func (a Actor) approvedBy(list []string) bool {
	return slices.ContainsFunc(a.Approvers, func(login string) bool {
		return slices.ContainsFunc(list, func(entry string) bool { return a.People.Is(login, entry) })
	})
}

// Denial is a dirspace with which the actor may not do what they want.
type Denial struct {
	*matching.Dirspace
	// Policy is the place of the policy that decided; -1 if none matches the dirspace.
	Policy int
	At     repoconfig.Position
	// Allowed are those who may.
	Allowed []string
}

// Access returns the dirspaces with which the actor may not do an operation
// (orchestration, 22). The first policy that matches a dirspace decides. Without a policy
// nobody may.
func Access(c repoconfig.AccessControl, o Operation, list []*matching.Dirspace, a Actor) []Denial {
	if !c.Enabled {
		return nil
	}
	var denied []Denial
	for _, d := range list {
		at := policyOf(c, d)
		if at < 0 {
			denied = append(denied, Denial{Dirspace: d, Policy: -1})
			continue
		}
		p := c.Policies[at]
		who := allowance(p, o)
		if !a.in(who.Allowed) && !(a.in(who.Super) && a.approvedBy(who.Approvers)) {
			denied = append(denied, Denial{d, at, p.At, who.Allowed})
		}
	}
	return denied
}

// policyOf returns the place of the policy that decides about a dirspace, or -1.
func policyOf(c repoconfig.AccessControl, d *matching.Dirspace) int {
	return slices.IndexFunc(c.Policies, func(p repoconfig.Policy) bool { return d.Matches(p.Query) })
}

// Change is a file that a pull request changes and that has rules of its own.
type Change struct {
	Path    string
	Allowed []string
}

// FileAccess returns the changed files that the person who asks may not change: the
// configuration, the files of the CI, and the files that the configuration names. ci is the
// path of the workflow file that starts runs.
func FileAccess(c repoconfig.AccessControl, changed []string, ci string, a Actor) []Change {
	if !c.Enabled {
		return nil
	}
	var denied []Change
	for _, each := range ruled(c, changed, ci) {
		if !a.in(each.Allowed) {
			denied = append(denied, each)
		}
	}
	return denied
}

// workflows is the directory of the workflow files of GitHub Actions. Each of them can use
// the secrets of the repository, as the one that starts runs can.
const workflows = ".github/workflows/"

// ruled returns the changed files that have rules of their own. At GitHub, whose ci is one
// of the workflows, all of these count as files of the CI.
func ruled(c repoconfig.AccessControl, changed []string, ci string) []Change {
	var made []Change
	for _, rule := range append(slices.Clone(c.Files),
		repoconfig.FileAccess{Path: repoconfig.Path, Who: c.ConfigUpdate}, repoconfig.FileAccess{Path: repoconfig.AlternativePath, Who: c.ConfigUpdate}) {
		if slices.Contains(changed, rule.Path) {
			made = append(made, Change{rule.Path, rule.Who})
		}
	}
	for _, path := range changed {
		if path == ci || strings.HasPrefix(ci, workflows) && strings.HasPrefix(path, workflows) {
			made = append(made, Change{path, c.CIUpdate})
		}
	}
	return made
}

// MayUnlock reports whether the actor may unlock.
func MayUnlock(c repoconfig.AccessControl, a Actor) bool { return !c.Enabled || a.in(c.Unlock) }

// DestinationAllowed reports whether pull requests of a source branch into a destination
// branch are worked on. Without a list, only the default branch is a destination. Globs
// have *, and ! excludes; letters count without their case (orchestration, 10).
func DestinationAllowed(list []repoconfig.Destination, defaultBranch, destination, source string) bool {
	if list == nil {
		return destination == defaultBranch
	}
	globs := make([]string, len(list))
	for i, d := range list {
		globs[i] = d.Branch
	}
	if !anyGlob(globs, destination) {
		return false
	}
	// The entries that match the destination say which sources they take.
	restricted := false
	for _, d := range list {
		if d.Sources == nil || !glob(d.Branch, destination) {
			continue
		}
		restricted = true
		if anyGlob(d.Sources, source) {
			return true
		}
	}
	return !restricted
}
