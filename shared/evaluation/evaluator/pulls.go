package evaluator

import (
	"context"
	"errors"
	"fmt"

	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// changed evaluates a pull request after it was opened, pushed to, closed, merged or
// unlocked.
func (e *Evaluator) changed(ctx context.Context, r lane.Request, o *outcome) error {
	p, err := e.enter(ctx, r.Repository)
	if err != nil {
		return err
	}
	s, err := p.look(ctx, r.Number, o.known || r.Automatic)
	if errors.Is(err, vcshost.ErrGone) {
		return nil // it was removed with its repository, or it is none
	}
	if err != nil {
		return err
	}
	sender := vcshost.Profile{ID: r.SenderID, Login: r.Sender}
	switch s.history.subject.State {
	case rules.Open:
		if quiet, err := p.ignores(ctx, s); err != nil || quiet {
			return err
		}
		err = e.opened(ctx, s, o, r.Automatic, sender)
	case rules.Merged:
		err = e.merged(ctx, s, o, sender)
	default:
		e.closed(s, o)
	}
	if err != nil {
		return err
	}
	o.observe(s)
	return nil
}

// observe remembers what was seen, and what the pull request may lock.
func (o *outcome) observe(s *scene) {
	o.scene, o.pull.State = s, s.history.subject.State
	now := owner{Subject: s.history.subject}
	if s.ready && s.loaded.Set != nil && s.destined() {
		now.Set = holdings(s.loaded.Set, s.history.results.AppliedBefore(now.Subject))
	}
	o.keepLocks(s, now)
}

// ignores reports whether nothing is said about a pull request: it is of a fork, and the
// default branch turns this server off.
func (p *place) ignores(ctx context.Context, s *scene) (bool, error) {
	if !s.fork() {
		return false, nil
	}
	config, err := p.defaults(ctx)
	return config != nil && !config.Enabled, err
}

// keepLocks stores the row of a pull request that holds locks, or that may get them by an
// apply that is under way, and removes the row of one that does not.
func (o *outcome) keepLocks(s *scene, now owner) {
	if o.owner != nil {
		return // it starts an apply
	}
	before := s.hist.held(now.Subject.Origin)
	now.Set, now.Since, now.About = union(now.Set, before.Set), before.Since, s.about()
	applying := false
	for _, a := range s.history.active {
		applying = applying || a.Origin == now.Subject.Origin && a.Type.IsApply()
	}
	if s.history.subject.MergedAt == justMerged {
		return // nobody has noted the merge
	}
	if !applying && (rules.Owner{Subject: now.Subject, Set: now.Set}).Locks(s.history.results) == "" {
		now.Set = nil
	}
	o.owner = &now
}

// union adds what was held before, and is not there now.
func union(list, before []rules.Holding) []rules.Holding {
	seen := make(map[run.Dirspace]bool, len(list))
	for _, h := range list {
		seen[h.Dirspace] = true
	}
	for _, h := range before {
		if !seen[h.Dirspace] {
			list = append(list, h)
		}
	}
	return list
}

// opened evaluates an open pull request. automatic says that its event may start a plan.
func (e *Evaluator) opened(ctx context.Context, s *scene, o *outcome, automatic bool, sender vcshost.Profile) error {
	o.supersede(s)
	o.pull.at(s.pr.SHA)
	name := fmt.Sprintf("%s %s %s draft=%t unlocked=%d", s.pr.SHA, s.pr.BaseBranch, s.pr.BaseSHA, s.pr.Draft, s.history.subject.Unlocked)
	if !automatic || o.pull.Planned == name {
		return o.refresh(s)
	}
	if err := s.settled(ctx); err != nil {
		return err
	}
	return o.autoplan(ctx, s, sender, name)
}

// autoplan plans what a push plans by itself.
func (o *outcome) autoplan(ctx context.Context, s *scene, sender vcshost.Profile, name string) error {
	d, err := s.decidePlan(ctx, o, rules.OpPlan, repoconfig.Query{}, true, sender)
	if err != nil {
		return err
	}
	o.pull.Planned = name
	if d.Comment == "" {
		o.pull.Told = ""
	}
	if err := o.act(s, d, job{Operation: rules.OpPlan, Automatic: true, Login: sender.Login, Actor: sender}); err != nil {
		return err
	}
	return o.changeSet(ctx, s)
}

// refresh sets the aggregate of an open pull request anew: an unlock makes plans void.
func (o *outcome) refresh(s *scene) error {
	if s.loaded.Set == nil || o.pull.Statuses == nil {
		return nil
	}
	state := vcshost.CheckPending
	if rules.Stand(s.loaded.Set, s.history.subject, s.history.results, s.history.merges).Done() {
		state = vcshost.CheckSuccess
	}
	o.aggregate(state)
	return nil
}

// supersede ends what was planned for an older head: its plans, and its applies that no
// runner has begun. Statuses of the old head do not stay pending.
func (o *outcome) supersede(s *scene) {
	if o.pull.Head != "" && o.pull.Head != s.pr.SHA {
		o.settle(vcshost.CheckFailure, "A newer commit took the place of this one")
	}
	for _, row := range s.hist.rows {
		if row.Origin != s.history.subject.Origin || !row.State.Active() || row.Source.Commit == s.pr.SHA {
			continue
		}
		o.abort(row.ID, run.ReasonMoved(s.pr.SHA), row.Type.IsApply())
	}
}

// closed evaluates a pull request that was closed without a merge.
func (e *Evaluator) closed(s *scene, o *outcome) {
	o.settle(vcshost.CheckFailure, closedText)
	for _, row := range s.hist.rows {
		if row.Origin == s.history.subject.Origin && row.State.Active() {
			o.abort(row.ID, run.ReasonClosed(), row.Type.IsApply())
		}
	}
	o.pull.Planned = "" // it is planned again if it is opened again
}

// merged evaluates a pull request that was merged: what it planned counts as merged for
// others, and some of it is applied by itself.
func (e *Evaluator) merged(ctx context.Context, s *scene, o *outcome, sender vcshost.Profile) error {
	if noted, err := o.noteMerge(ctx, s); err != nil || !noted {
		return err
	}
	if o.pull.Applied == s.pr.MergedSHA || s.fork() {
		return nil
	}
	o.pull.Applied = s.pr.MergedSHA
	d, err := s.decideApply(ctx, o, rules.OpApply, repoconfig.Query{}, true, sender)
	if err != nil {
		return err
	}
	if err := o.act(s, d, job{Operation: rules.OpApply, Automatic: true, Login: sender.Login, Actor: sender}); err != nil {
		return err
	}
	return o.changeSet(ctx, s)
}

// noteMerge records which dirspaces the merge of a pull request concerns, once: what others
// have planned of them does not count any more. It reports false for a merge that concerns
// nobody: it was made before this server knew the pull request, or into a branch that is
// not worked on.
func (o *outcome) noteMerge(ctx context.Context, s *scene) (bool, error) {
	if s.history.subject.State != rules.Merged || s.history.subject.MergedAt == justMerged || s.ready && len(s.loaded.Mistakes) == 0 && !s.destined() {
		return false, nil
	}
	if o.pull.Noted == s.pr.MergedSHA {
		return true, nil
	}
	touched := make([]run.Dirspace, 0, len(s.history.rows))
	for d := range s.history.rows {
		touched = append(touched, d)
	}
	if s.loaded.Set != nil {
		for _, m := range s.loaded.Set.Members {
			touched = append(touched, m.Dirspace.Dirspace)
		}
	}
	var list []lane.Merged
	for _, d := range run.SortDirspaces(touched) {
		list = append(list, lane.Merged{Dirspace: d, Number: s.number, Place: s.history.subject.MergedAt})
	}
	if err := s.Lanes.RecordMerged(ctx, s.of, list); err != nil {
		return false, err
	}
	o.pull.Noted = s.pr.MergedSHA
	return true, nil
}
