package evaluator

import (
	"context"
	"errors"
	"slices"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/evaluation/decide"
	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/evaluation/source"
	"github.com/opsplane/opsplane/shared/evaluation/work"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/command"
	"github.com/opsplane/opsplane/shared/run/starting"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Wanted is a run that somebody asks for by API.
type Wanted struct {
	// Spec has what the request says: ID, Repository, Type, User, Principal, TagQuery, and
	// Dirspaces in their order. An Environment and a RunsOn that are empty are those of the
	// workflow.
	Spec run.Spec
	// Target is where the run works.
	Target command.Target
	// Actor is the account of who asks. It is zero for a machine account: then only * in a
	// list of people means it.
	Actor vcshost.Profile
}

// Admitted is a run that the rules admit.
type Admitted struct {
	// Order starts it. Its rules ask again what may have changed until then.
	Order starting.Order
	// Supersedes are the plans that the run takes the place of: they are aborted when it is
	// created.
	Supersedes []run.ID
}

// Admission decides whether a run that somebody asks for may be made, by the rules that
// decide about comments. It does all that is wanted or nothing. A refusal is a fault whose
// detail says what to do. Other errors are those of the host and of the storage.
func (e *Evaluator) Admission(ctx context.Context, w Wanted) (Admitted, error) {
	p, err := e.enter(ctx, w.Spec.Repository)
	if err != nil {
		return Admitted{}, err
	}
	w.Spec.Owner, w.Spec.Name = p.repo.Owner, p.repo.Name
	if w.Target.Kind != run.PullRequest {
		return p.admitOnBranch(ctx, w)
	}
	s, err := p.look(ctx, w.Target.Number, true)
	switch {
	case errors.Is(err, vcshost.ErrGone):
		return Admitted{}, fault.Invalidf("PULL_REQUEST_NOT_FOUND", "%s shows this server no pull request %d in %s/%s: check the number", p.of.Installation.VCS.Label(), w.Target.Number, p.repo.Owner, p.repo.Name)
	case err != nil:
		return Admitted{}, err
	}
	return s.admit(ctx, w)
}

// operationOfType returns the operation that starts a run of a type.
func operationOfType(t run.Type) rules.Operation {
	if t.IsApply() {
		return rules.OpApply
	}
	return rules.OpPlan
}

// admit decides about a run of a pull request.
func (s *scene) admit(ctx context.Context, w Wanted) (Admitted, error) {
	for _, b := range s.refusals() {
		switch b.Rule {
		case decide.Conflicted, decide.Unsettled: // these come later, in the order of the decision
		default:
			return Admitted{}, s.refused(b)
		}
	}
	if err := refuseUnknown(s.loaded.Tree, w.Spec.Dirspaces, s.working()); err != nil {
		return Admitted{}, err
	}
	if err := s.settled(ctx); err != nil {
		return Admitted{}, err
	}
	snapshot, request := s.snapshot(), decide.Request{Operation: operationOfType(w.Spec.Type), Only: w.Spec.Dirspaces, Trigger: defaultTrigger}
	asking := s.asking(request.Operation, false, w.Actor)
	asking.Dirspaces = dirspacesIn(s.loaded.Tree, w.Spec.Dirspaces)
	if s.loaded.Guard != nil {
		guarded := dirspacesIn(s.loaded.Guard, w.Spec.Dirspaces)
		asking.Dirspaces = append(asking.Dirspaces, slices.DeleteFunc(guarded, func(d *matching.Dirspace) bool { return d == nil })...)
	}
	var err error
	if snapshot.Facts, request.Actor, err = source.Facts(ctx, s.host, s.repo.Description, s.pr, asking); err != nil {
		return Admitted{}, err
	}
	d, err := s.decideWanted(ctx, snapshot, request)
	if err != nil {
		return Admitted{}, err
	}
	w.Spec.Kind = run.Kind{Name: run.PullRequest, Number: s.number, Title: cut(s.pr.Title, run.MaxText)}
	w.Spec.Base, w.Spec.Source = s.history.subject.Base, s.working()
	if s.history.subject.State == rules.Merged {
		w.Spec.Base.Commit = w.Spec.Source.Commit // so that the runner may have a later commit of the branch
	}
	order, err := orderOf(w.Spec, membersOf(d), s.loaded.Config)
	order.Rules = admission{s.Evaluator, s.history.subject, s.number, s.history.plans(order.Spec)}
	return Admitted{order, d.Abort}, err
}

// decideWanted decides about a run, and returns a refusal as a fault.
func (s *scene) decideWanted(ctx context.Context, snapshot decide.Snapshot, r decide.Request) (decide.Decision, error) {
	if r.Operation == rules.OpPlan {
		d := decide.Plan(snapshot, r)
		return d, s.refusal(d, snapshot, r)
	}
	d := decide.Apply(snapshot, r)
	if err := s.refusal(d, snapshot, r); err != nil {
		return d, err
	}
	o := &outcome{of: s.of, number: s.number, pull: &pull{}}
	if _, err := s.remembered(ctx, o); err != nil {
		return d, err
	}
	pending, err := s.pendingGates(ctx, o, d)
	if err == nil && len(pending) > 0 {
		err = s.refused((&blocker{scene: s, trigger: o.pull.trigger()}).gate(pending[0]))
	}
	return d, err
}

// membersOf returns the members of a decision, in the order of their dirspaces.
func membersOf(d decide.Decision) []*matching.Member {
	var made []*matching.Member
	for _, n := range d.Runs {
		made = append(made, n.Batch.Members...)
	}
	slices.SortFunc(made, func(a, b *matching.Member) int { return a.Compare(b.Dirspace.Dirspace) })
	return made
}

// dirspacesIn returns dirspaces of a repository that exist.
func dirspacesIn(in *matching.Repository, list []run.Dirspace) []*matching.Dirspace {
	made := make([]*matching.Dirspace, len(list))
	for i, d := range list {
		made[i] = in.Find(d)
	}
	return made
}

// orderOf returns the order of a run. Where the request names no environment or machines,
// the run has those of the workflow, so these must be the same for all of its members.
func orderOf(spec run.Spec, members []*matching.Member, c *repoconfig.Config) (starting.Order, error) {
	b := rules.Batch{Environment: spec.Environment, RunsOn: spec.RunsOn, Members: members}
	for _, of := range []struct {
		name, asked string
		of          func(*matching.Member) string
		into        *string
	}{
		{"environment", spec.Environment, func(m *matching.Member) string { return m.Environment }, &b.Environment},
		{"runs_on", spec.RunsOn, func(m *matching.Member) string { return m.RunsOn }, &b.RunsOn},
	} {
		if of.asked != "" {
			continue
		}
		*of.into = of.of(members[0])
		if i := slices.IndexFunc(members, func(m *matching.Member) bool { return of.of(m) != *of.into }); i > 0 {
			return starting.Order{}, fault.Invalidf("WORKFLOWS_DIFFER", "the workflows of %s and %s have different values of %s: send a request for each, or name %[3]s in the request",
				members[0].Dirspace.Dirspace, members[i].Dirspace.Dirspace, of.name)
		}
	}
	spec.Dirspaces = nil // work.Order adds those of the members
	return work.Order(spec, b, c)
}
