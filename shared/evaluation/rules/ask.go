package rules

import (
	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/repoconfig"
)

// Allowance are the lists of people that decide whether somebody may do an operation with
// a dirspace.
type Allowance struct {
	// Allowed may do it. Super may do it if one of Approvers approves.
	Allowed, Super, Approvers []string
}

// allowance returns the lists of a policy.
func allowance(p repoconfig.Policy, o Operation) Allowance {
	switch o {
	case OpPlan:
		return Allowance{Allowed: p.Plan}
	case OpApply:
		return Allowance{p.Apply, p.ApplyWithSuperapproval, p.Superapproval}
	case OpApplyAutoapprove:
		return Allowance{Allowed: p.ApplyAutoapprove}
	case OpApplyForce:
		return Allowance{Allowed: p.ApplyForce}
	}
	return Allowance{}
}

// Question are the parts of a configuration that decide about an operation. They say what
// the host must be asked.
type Question struct {
	// Allowances are those of the policies that count.
	Allowances []Allowance
	// Files are those who may change the files that the pull request changes.
	Files [][]string
	// Checks are the apply requirements that count.
	Checks []repoconfig.Check
}

// Asks returns what decides about an operation with dirspaces, when a pull request changes
// some files. ci is the path of the workflow file of the CI. unconditional says that
// nothing is required of an apply: it is automatic, or the pull request is merged.
func Asks(c *repoconfig.Config, o Operation, list []*matching.Dirspace, changed []string, ci string, unconditional bool) Question {
	var q Question
	if c.AccessControl.Enabled {
		used := map[int]bool{}
		for _, d := range list {
			if at := policyOf(c.AccessControl, d); at >= 0 && !used[at] {
				used[at] = true
				q.Allowances = append(q.Allowances, allowance(c.AccessControl.Policies[at], o))
			}
		}
		if o == OpPlan || o == OpApplyAutoapprove { // which may plan first
			for _, each := range ruled(c.AccessControl, changed, ci) {
				q.Files = append(q.Files, each.Allowed)
			}
		}
	}
	if o == OpPlan || o == OpApplyForce || unconditional {
		return q
	}
	used := map[int]bool{}
	for _, d := range list {
		if at := checkOf(c.Requirements, d); at >= 0 && !used[at] {
			used[at] = true
			q.Checks = append(q.Checks, c.Requirements.Checks[at])
		}
	}
	return q
}
