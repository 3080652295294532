package evaluator

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/evaluation/source"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/command"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// admitOnBranch decides about a run of a branch. It has the configuration of the branch,
// with the keys that the default branch keeps for itself. Rules that are about pull
// requests do not count.
func (p *place) admitOnBranch(ctx context.Context, w Wanted) (Admitted, error) {
	b, err := p.host.Branch(ctx, p.repo.Description, w.Target.Branch)
	switch {
	case errors.Is(err, vcshost.ErrNoBranch):
		return Admitted{}, fault.Invalidf("BRANCH_NOT_FOUND", "%s shows this server no branch %q in %s/%s: push it first, or check its name", p.of.Installation.VCS.Label(), w.Target.Branch, p.repo.Owner, p.repo.Name)
	case err != nil:
		return Admitted{}, err
	}
	def := b
	if b.Name != p.repo.DefaultBranch {
		if def, err = p.defaultBranch(ctx); err != nil {
			return Admitted{}, err
		}
	}
	loaded, err := p.Source.Load(ctx, p.host, p.place(), source.Wanted{Commit: b.SHA, Default: def, Source: b.Name, Destination: b.Name, All: true})
	switch {
	case err != nil:
		return Admitted{}, err
	case len(loaded.Mistakes) > 0:
		return Admitted{}, misconfigured(loaded.Mistakes)
	case !loaded.Config.Enabled:
		return Admitted{}, disabled()
	}
	ref := run.Ref{Branch: b.Name, Commit: b.SHA}
	if err := refuseUnknown(loaded.Tree, w.Spec.Dirspaces, ref); err != nil {
		return Admitted{}, err
	}
	if err := p.access(ctx, w, loaded); err != nil {
		return Admitted{}, err
	}
	members := slices.DeleteFunc(slices.Clone(loaded.Set.Members), func(m *matching.Member) bool {
		_, is := slices.BinarySearchFunc(w.Spec.Dirspaces, m.Dirspace.Dirspace, run.Dirspace.Compare)
		return !is
	})
	slices.SortFunc(members, func(a, b *matching.Member) int { return a.Compare(b.Dirspace.Dirspace) })
	w.Spec.Kind, w.Spec.Base, w.Spec.Source = run.Kind{Name: w.Target.Kind}, ref, ref
	order, err := orderOf(w.Spec, members, loaded.Config)
	order.Rules = branchAdmission{p.Evaluator}
	return Admitted{Order: order}, err
}

// access refuses what access_control does not let somebody do on a branch. Nobody approves
// there, so approvals of superapprovers do not count.
func (p *place) access(ctx context.Context, w Wanted, loaded source.Loaded) error {
	control := loaded.Config.AccessControl
	if !control.Enabled {
		return nil
	}
	control.Policies = slices.Clone(control.Policies)
	for i := range control.Policies {
		control.Policies[i].ApplyWithSuperapproval = nil
	}
	config := *loaded.Config
	config.AccessControl = control
	list, operation := dirspacesIn(loaded.Tree, w.Spec.Dirspaces), operationOfType(w.Spec.Type)
	_, actor, err := source.Facts(ctx, p.host, p.repo.Description, vcshost.PullRequest{}, source.Asking{
		Operation: operation, Automatic: true, Config: &config, Dirspaces: list, Actor: w.Actor,
	})
	if err != nil {
		return err
	}
	if denied := rules.Access(control, operation, list, actor); len(denied) > 0 {
		return deniedAccess(operation, denied)
	}
	return nil
}

// branchAdmission are the rules for runs of branches: an apply needs a plan, and does not
// undo what an open pull request has applied.
type branchAdmission struct{ *Evaluator }

var _ command.Rules = branchAdmission{}

// Admit implements command.Rules.
func (a branchAdmission) Admit(ctx context.Context, s run.Spec, now time.Time) ([]command.Use, error) {
	uses, err := command.PlanFirst{History: a.Start.History}.Admit(ctx, s, now)
	if err != nil || !s.Type.IsApply() {
		return uses, err
	}
	h := a.historian(s.Repository)
	found := history{subject: rules.Subject{Origin: s.Origin(), State: rules.Open, Base: s.Base, Head: s.Source}, results: rules.Histories{}}
	if err := h.locks(ctx, &found, s.Dirspaces); err != nil {
		return nil, err
	}
	// A pull request that is merged waits for just such an apply.
	found.owners = slices.DeleteFunc(found.owners, func(o rules.Owner) bool { return o.Locks(found.results) != rules.LockedByApply })
	if locks := rules.Locked(s.Dirspaces, found.subject, found.owners, found.results); len(locks) > 0 {
		return nil, lockedOut(locks[0])
	}
	return uses, nil
}

func misconfigured(list repoconfig.Mistakes) error {
	return fault.Invalidf("CONFIG_INVALID", "the configuration has mistakes, or does not fit the files: correct them and push\n%s", list[:min(len(list), maxListed)].Error())
}

func disabled() error {
	return fault.Invalidf("DISABLED", "the configuration disables this server for the repository: set enabled to true on the default branch")
}
