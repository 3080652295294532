package evaluator

import (
	"context"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/evaluation/decide"
	"github.com/opsplane/opsplane/shared/evaluation/explain"
	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/result"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Explanation says what is planned of a pull request, what is not, and why; and what keeps
// it from being applied.
type Explanation struct {
	About
	PullRequest vcshost.PullRequest
	State       rules.State
	// Fork says that the branch is in another repository.
	Fork bool
	// Blocks are in the way of the whole pull request.
	Blocks []Block
	// Mistakes are those of the configuration. If there are any, there are no Dirspaces.
	Mistakes repoconfig.Mistakes
	// Layers is the number of layers of the change.
	Layers int
	// Dirspaces are all of the repository, in their order.
	Dirspaces []Explained
	// Changed are the paths of the changed files, in byte order.
	Changed []string
}

// Explained is a dirspace with what is known of it.
type Explained struct {
	explain.Reason
	// Workflow is where its workflow stands. It is zero for the built-in one.
	Workflow repoconfig.Position

	// The rest is zero unless the dirspace is planned.

	// Applied says that nothing of it waits for an apply.
	Applied bool
	Plan    rules.Validity
	// By is the run that decides about the plan, of the pull request or of another one. It
	// is zero if there is none.
	By ByRun
	// Requirement is what an apply requires. It is nil if the dirspace is applied.
	Requirement *rules.Requirement
	// Blocks are in the way of its apply.
	Blocks []Block
}

// ByRun is a run, and where it belongs.
type ByRun struct {
	Run    run.ID
	Origin run.Origin
}

// Block is something that is in the way, and the way out.
type Block struct {
	Rule decide.Refusal
	// Text says what is in the way. WayOut says what to do. Both are sentences.
	Text, WayOut string
	// Command is what to write in a comment. It is empty if no command helps. At says where,
	// if it is another pull request.
	Command string
	// By is the run or the pull request that is in the way, if it is one.
	By ByRun
	// Title and Author are those of the pull request that holds a lock. Since is when it
	// got it, and Reason why.
	Title, Author string
	Since         time.Time
	Reason        rules.LockReason
}

// Rules that keep a dirspace from being applied, besides those of package decide.
const (
	EarlierLayer decide.Refusal = "EARLIER_LAYER"
	EarlierStack decide.Refusal = "EARLIER_STACK"
	GatePending  decide.Refusal = "GATE_PENDING"
)

// Explain explains a pull request as it is now at its host. It stores nothing but what
// cannot change of the repository, and needs no lane. It returns vcshost.ErrGone if there is
// no such pull request.
func (e *Evaluator) Explain(ctx context.Context, of vcs.Repository, number int64) (Explanation, error) {
	p, err := e.enter(ctx, of)
	if err != nil {
		return Explanation{}, err
	}
	p.reading = true
	s, err := p.look(ctx, number, false)
	if err != nil {
		return Explanation{}, err
	}
	o := &outcome{of: of, number: number, pull: &pull{}}
	if _, err := e.remembered(ctx, o); err != nil {
		return Explanation{}, err
	}
	made := Explanation{
		About: s.about(), PullRequest: s.pr, State: s.history.subject.State, Fork: s.fork(), Mistakes: s.loaded.Mistakes, Changed: s.loaded.Changed,
		Blocks: s.refusals(),
	}
	if s.loaded.Set == nil {
		return made, nil
	}
	made.Layers = s.loaded.Set.Layers
	made.Dirspaces, err = s.explain(ctx, o)
	return made, err
}

// refusals returns what is in the way of the whole pull request, with the most important
// first.
func (s *scene) refusals() []Block {
	config := s.loaded.Config
	head := s.history.subject.Head.Branch
	switch {
	case s.history.subject.State == rules.Closed:
		return []Block{{Rule: decide.ClosedAlready, Text: "The pull request is closed.", WayOut: "Open it again."}}
	case s.fork():
		return []Block{{Rule: decide.ForkRefused, Text: "The branch is in a fork. CI jobs have the secrets of the repository, so they do not run for it.", WayOut: "Somebody who may write pushes the branch to the repository, and opens a pull request from it."}}
	case len(s.loaded.Mistakes) > 0:
		return []Block{{Rule: decide.Misconfigured, Text: "The configuration has mistakes, or does not fit the files.", WayOut: "Correct them and push."}}
	case !config.Enabled:
		return []Block{{Rule: decide.Disabled, Text: "The configuration disables this server: enabled is false.", WayOut: "Set enabled to true on the default branch."}}
	case !rules.DestinationAllowed(config.Destinations, s.repo.DefaultBranch, s.pr.BaseBranch, head):
		return []Block{{
			Rule: decide.WrongBranch, Text: fmt.Sprintf("Pull requests from %s into %s are not planned.", head, s.pr.BaseBranch),
			WayOut: "Name the branches in destination_branches on the default branch, or open it into another branch.",
		}}
	case s.history.subject.State != rules.Open:
		return nil
	case s.pr.Merge == vcshost.MergeConflict:
		return []Block{{Rule: decide.Conflicted, Text: "The branch has a conflict with its destination.", WayOut: "Merge the destination into the branch, and push."}}
	case s.pr.Merge == vcshost.MergeUnknown:
		return []Block{{Rule: decide.Unsettled, Text: "The host is still looking for merge conflicts.", WayOut: "Ask again in a minute."}}
	}
	return nil
}

// explain explains all dirspaces.
func (s *scene) explain(ctx context.Context, o *outcome) ([]Explained, error) {
	b, err := s.blocks(ctx, o)
	if err != nil {
		return nil, err
	}
	reasons := explain.All(s.loaded.Tree, s.loaded.Set)
	made := make([]Explained, len(reasons))
	for i, r := range reasons {
		made[i] = Explained{Reason: r}
		if r.Workflow != matching.NoWorkflow {
			made[i].Workflow = s.loaded.Config.Workflows[r.Workflow].At
		}
		if r.Planned {
			b.of(&made[i])
		}
	}
	return made, nil
}

// blocker finds what is in the way of dirspaces.
type blocker struct {
	*scene
	trigger string
	// unapplied are the members that are not applied. now are those of them that an apply
	// is about now, and layer those that are worked on.
	unapplied, layer, now map[run.Dirspace]bool
	requirements          map[run.Dirspace]rules.Requirement
	locks                 map[run.Dirspace]rules.Lock
	conflicts             []rules.Conflict
	gates                 []result.Gate
	holders               map[run.Origin]owner
}

// blocks reads what may be in the way. It asks the host only for what the requirements of
// members that are not applied need.
func (s *scene) blocks(ctx context.Context, o *outcome) (*blocker, error) {
	b := &blocker{
		scene: s, trigger: o.pull.trigger(), unapplied: map[run.Dirspace]bool{}, layer: map[run.Dirspace]bool{}, now: map[run.Dirspace]bool{},
		requirements: map[run.Dirspace]rules.Requirement{}, locks: map[run.Dirspace]rules.Lock{}, holders: map[run.Origin]owner{},
	}
	subject := s.history.subject
	standing := rules.Stand(s.loaded.Set, subject, s.history.results, s.history.merges)
	if standing.Done() {
		return b, nil
	}
	var list []run.Dirspace
	var members []*matching.Dirspace
	for _, layer := range standing.Unapplied {
		for _, m := range layer {
			list, members = append(list, m.Dirspace.Dirspace), append(members, m.Dirspace)
			b.unapplied[m.Dirspace.Dirspace] = true
		}
	}
	for _, m := range standing.Plan(nil) {
		b.layer[m.Dirspace.Dirspace] = true
	}
	d := decide.Decision{}
	for _, m := range standing.Apply(nil, s.loaded.Tree) {
		b.now[m.Dirspace.Dirspace] = true
		d.Runs = append(d.Runs, decide.NewRun{Type: run.Apply, Batch: rules.Batch{Members: []*matching.Member{m}}})
	}
	facts, _, err := s.facts(ctx, rules.OpApply, false, vcshost.Profile{})
	if err != nil {
		return nil, err
	}
	for _, r := range rules.Requirements(s.loaded.Config.Requirements, members, facts) {
		b.requirements[r.Dirspace.Dirspace] = r
	}
	for _, l := range rules.Locked(list, subject, s.history.owners, s.history.results) {
		b.locks[l.Dirspace] = l
	}
	for _, h := range s.hist.owners {
		b.holders[h.Subject.Origin] = h
	}
	b.conflicts = rules.Conflicts(list, true, subject.Origin, s.history.active, s.Now())
	b.gates, err = s.pendingGates(ctx, o, d)
	return b, err
}
