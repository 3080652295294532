package source

import (
	"context"
	"fmt"
	"slices"

	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Opinions reads from a host what people and programs say about a pull request.
// evaluator.Reader documents the methods.
type Opinions interface {
	Reviews(ctx context.Context, r vcs.Description, number int64) (vcshost.Reviews, error)
	Checks(ctx context.Context, r vcs.Description, commit string) ([]vcshost.Check, error)
	Role(ctx context.Context, r vcs.Description, account vcshost.Profile) (string, error)
	InTeam(ctx context.Context, r vcs.Description, team string, account vcshost.Profile) (bool, error)
}

// Asking is an operation for which facts are needed.
type Asking struct {
	Operation rules.Operation
	// Automatic says that no person wrote a command.
	Automatic bool
	Config    *repoconfig.Config
	// Dirspaces are all that the operation may be about.
	Dirspaces []*matching.Dirspace
	// Changed are the paths of the changed files. CIFile is the path of the workflow file of
	// the CI.
	Changed []string
	CIFile  string
	// Actor is who asks. It is zero if the event names nobody.
	Actor vcshost.Profile
}

// Facts returns what the rules need to know about a pull request for an operation, and who
// asks for it. It reads reviews, checks, roles and teams only if the configuration needs
// them for the directories at hand.
//
// The people that it returns are enough for these rules and for no others. It looks at
// most maxQuestions times at a role or team. Beyond that, approvals do not count, those
// of the people who reviewed first before the others.
func Facts(ctx context.Context, host Opinions, r vcs.Description, p vcshost.PullRequest, q Asking) (rules.Facts, rules.Actor, error) {
	made := rules.Facts{
		State: stateOf(p), Draft: p.Draft, Mergeable: p.Merge == vcshost.MergePossible, MergeUnknown: p.Merge == vcshost.MergeUnknown, Author: p.Author.Login,
	}
	needed := rules.Asks(q.Config, q.Operation, q.Dirspaces, q.Changed, q.CIFile, q.Automatic || made.State == rules.Merged)
	known := &people{host: host, of: r, made: rules.People{}, left: maxQuestions}
	profiles, err := read(ctx, host, r, p, needed, &made)
	if err != nil {
		return rules.Facts{}, rules.Actor{}, err
	}
	made.People = known.made
	approvers := made.Approvers()
	slices.Reverse(approvers)
	actor := rules.Actor{Login: q.Actor.Login, People: known.made, Approvers: approvers}
	for _, list := range needed.Files {
		if err := known.find(ctx, q.Actor, list); err != nil {
			return rules.Facts{}, rules.Actor{}, err
		}
	}
	for _, a := range needed.Allowances {
		if err := known.allowance(ctx, q.Actor, a, approvers, profiles); err != nil {
			return rules.Facts{}, rules.Actor{}, err
		}
	}
	for _, c := range needed.Checks {
		if err := known.approvals(ctx, c.Approved, approvers, profiles); err != nil {
			return rules.Facts{}, rules.Actor{}, err
		}
	}
	return made, actor, nil
}

// Unlocker returns who asks for an unlock, with what rules.MayUnlock needs to know.
func Unlocker(ctx context.Context, host Opinions, r vcs.Description, c repoconfig.AccessControl, account vcshost.Profile) (rules.Actor, error) {
	known := &people{host: host, of: r, made: rules.People{}, left: maxQuestions}
	if c.Enabled {
		if err := known.find(ctx, account, c.Unlock); err != nil {
			return rules.Actor{}, err
		}
	}
	return rules.Actor{Login: account.Login, People: known.made}, nil
}

func stateOf(p vcshost.PullRequest) rules.State {
	switch {
	case p.Merged:
		return rules.Merged
	case p.Open:
		return rules.Open
	}
	return rules.Closed
}

// read reads checks and reviews, if they are needed. It returns the accounts of those who
// reviewed, by login in lower case.
func read(ctx context.Context, host Opinions, r vcs.Description, p vcshost.PullRequest, q rules.Question, into *rules.Facts) (map[string]vcshost.Profile, error) {
	if slices.ContainsFunc(q.Checks, func(c repoconfig.Check) bool { return c.StatusChecks }) {
		checks, err := host.Checks(ctx, r, p.SHA)
		if err != nil {
			return nil, fmt.Errorf("read checks of pull request %d: %w", p.Number, err)
		}
		for _, c := range checks {
			into.Statuses = append(into.Statuses, rules.Status{Name: c.Name, Success: c.State == vcshost.CheckSuccess, Runner: c.HostCI})
		}
	}
	reviewed := slices.ContainsFunc(q.Checks, func(c repoconfig.Check) bool { return c.Approved.Enabled }) ||
		slices.ContainsFunc(q.Allowances, func(a rules.Allowance) bool { return len(a.Super) > 0 && len(a.Approvers) > 0 })
	if !reviewed {
		return nil, nil
	}
	reviews, err := host.Reviews(ctx, r, p.Number)
	if err != nil {
		return nil, fmt.Errorf("read reviews of pull request %d: %w", p.Number, err)
	}
	into.Requested = reviews.Requested
	profiles := map[string]vcshost.Profile{}
	for _, each := range reviews.List {
		into.Reviews = append(into.Reviews, rules.Review{Login: each.Author.Login, Verdict: rules.Verdict(each.Verdict)})
		profiles[lower(each.Author.Login)] = each.Author
	}
	return profiles, nil
}
