package rules

import (
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/repoconfig"
)

// Facts are what the host says about a pull request when an apply is asked for.
type Facts struct {
	State State
	Draft bool
	// Mergeable is false if the host sees a conflict with the destination branch, and
	// while it does not know. MergeUnknown says that it does not know.
	Mergeable, MergeUnknown bool
	// Author is the login of the author.
	Author   string
	Statuses []Status
	Reviews  []Review
	// Requested is the number of reviews that were requested and are not done.
	Requested int
	// People knows the roles and teams of those who reviewed.
	People People
}

// Status is a commit status or a check run of the head.
type Status struct {
	Name    string
	Success bool
	// Runner says that it is a check run of the host's own CI jobs: the runs of this
	// server are among them.
	Runner bool
}

// Verdict is what a review says.
type Verdict string

// The verdicts. Reviews that only comment do not count.
const (
	Approves  Verdict = "approves"
	Rejects   Verdict = "requests changes"
	Dismissed Verdict = "dismissed"
)

// Review is a review of a pull request.
type Review struct {
	Login   string
	Verdict Verdict
}

// Everybody is the entry of a list of people that means everybody.
const Everybody = "*"

// People are the roles and teams of persons, by login in lower case.
type People map[string]Person

// Person is what the host says of somebody.
type Person struct {
	// Role is the permission in the repository: admin, maintain, write, triage, read, or
	// empty.
	Role string
	// Teams are slugs.
	Teams []string
}

// roles are the roles, from the strongest.
var roles = []string{"admin", "maintain", "write", "triage", "read"}

// Is reports whether somebody is meant by an entry of a list of people: user:LOGIN,
// team:SLUG, role:ROLE or repo:ROLE (that role or a stronger one), or *.
func (p People) Is(login, entry string) bool {
	kind, name, _ := strings.Cut(entry, ":")
	person := p[strings.ToLower(login)]
	switch kind {
	case Everybody:
		return true
	case "user":
		return strings.EqualFold(login, name)
	case "team":
		return slices.ContainsFunc(person.Teams, func(t string) bool { return strings.EqualFold(t, name) })
	case "role", "repo":
		has := slices.Index(roles, person.Role)
		return has >= 0 && has <= slices.Index(roles, name)
	}
	return false
}

// Approvers returns the logins, in lower case, of those whose last review approves, in the
// order of their first reviews. The author does not count (orchestration, 28.2). Reviews
// are in the order of time.
func (f Facts) Approvers() []string {
	last := map[string]Verdict{}
	var order []string
	for _, r := range f.Reviews {
		login := strings.ToLower(r.Login)
		if _, known := last[login]; !known {
			order = append(order, login)
		}
		last[login] = r.Verdict
	}
	return slices.DeleteFunc(order, func(login string) bool { return last[login] != Approves || strings.EqualFold(login, f.Author) })
}

// Outcome is the outcome of one check.
type Outcome string

// The outcomes.
const (
	Off  Outcome = "off"
	Pass Outcome = "pass"
	Fail Outcome = "fail"
)

func outcome(enabled, passed bool) Outcome {
	switch {
	case !enabled:
		return Off
	case passed:
		return Pass
	}
	return Fail
}

// Requirement is what the apply requirements say about one dirspace.
type Requirement struct {
	*matching.Dirspace
	// Entry is the place of the entry that counts; -1 if none matches the dirspace, so
	// that it cannot be applied.
	Entry                                                                   int
	At                                                                      repoconfig.Position
	MergeConflicts, StatusChecks, Approved, ApplyAfterMerge, ReadyForReview Outcome
	// FailedStatuses are the names of the statuses that did not succeed.
	FailedStatuses []string
	// Missing are the entries of all_of that nobody satisfies. Have and Need count the
	// approvals of the others.
	Missing    []string
	Have, Need int
}

// Met reports whether the dirspace may be applied.
func (r Requirement) Met() bool {
	return r.Entry >= 0 && !slices.Contains([]Outcome{r.MergeConflicts, r.StatusChecks, r.Approved, r.ApplyAfterMerge, r.ReadyForReview}, Fail)
}

// Requirements returns what the apply requirements say about dirspaces (orchestration,
// 11.1). A merged pull request meets all.
func Requirements(c repoconfig.Requirements, list []*matching.Dirspace, f Facts) []Requirement {
	made := make([]Requirement, len(list))
	for i, d := range list {
		at := checkOf(c, d)
		made[i] = Requirement{Dirspace: d, Entry: at}
		if at >= 0 {
			made[i].check(c.Checks[at], f)
		}
	}
	return made
}

// checkOf returns the place of the check that counts for a dirspace, or -1.
func checkOf(c repoconfig.Requirements, d *matching.Dirspace) int {
	return slices.IndexFunc(c.Checks, func(k repoconfig.Check) bool { return d.Matches(k.Query) })
}

func (r *Requirement) check(c repoconfig.Check, f Facts) {
	merged := f.State == Merged
	r.At = c.At
	r.FailedStatuses = f.failed(c.IgnoreMatching)
	r.MergeConflicts = outcome(c.MergeConflicts, merged || f.Mergeable)
	r.StatusChecks = outcome(c.StatusChecks, merged || len(r.FailedStatuses) == 0)
	r.ApplyAfterMerge = outcome(c.ApplyAfterMerge, merged)
	r.ReadyForReview = outcome(c.ReadyForReview, merged || !f.Draft)
	if r.Approved = Off; c.Approved.Enabled {
		r.Approved = outcome(true, r.approve(c.Approved, f) || merged)
	}
}

// approve counts the approvals, and reports whether they are enough.
func (r *Requirement) approve(a repoconfig.Approved, f Facts) bool {
	approvers := f.Approvers()
	satisfied := func(entry string) bool {
		return slices.ContainsFunc(approvers, func(login string) bool { return f.People.Is(login, entry) })
	}
	for _, entry := range a.AllOf {
		if !satisfied(entry) {
			r.Missing = append(r.Missing, entry)
		}
	}
	switch {
	case a.Count > 0:
		r.Have, r.Need = len(approvers), a.Count
	case a.AnyOf != nil:
		r.Need = a.AnyOfCount
		for _, login := range approvers {
			if slices.ContainsFunc(a.AnyOf, func(entry string) bool { return f.People.Is(login, entry) }) {
				r.Have++
			}
		}
	}
	return len(r.Missing) == 0 && r.Have >= r.Need && (!a.RequireCompletedReviews || f.Requested == 0)
}

// OwnStatus is how the names of this server's statuses begin. They wait for the apply, so
// an apply that waited for them would never come.
const OwnStatus = "terrateam "

// failed returns the names of the statuses that count and did not succeed.
func (f Facts) failed(ignored []string) []string {
	var names []string
	for _, s := range f.Statuses {
		ignore := s.Success || s.Runner || strings.HasPrefix(s.Name, OwnStatus+"plan") || strings.HasPrefix(s.Name, OwnStatus+"apply") ||
			slices.ContainsFunc(ignored, func(p string) bool { return p == s.Name || repoconfig.MatchLua(p, s.Name) })
		if !ignore {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
