package evaluator

import (
	"context"
	"errors"
	"slices"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/evaluation/status"
	"github.com/opsplane/opsplane/shared/evaluation/texts"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/result"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// ended evaluates the end of a run: its statuses, its comment, and what follows.
func (e *Evaluator) ended(ctx context.Context, r lane.Request, o *outcome) error {
	over, err := e.Runs.Get(ctx, r.Run)
	if errors.Is(err, fault.ErrNotFound) {
		if j, known := o.pull.end(r.Run); known { // it was not admitted, or it was removed
			o.unstarted(j)
		}
		switch {
		case o.number == 0:
			return e.driftGone(ctx, r.Run, o)
		case r.Text != "":
			o.say(texts.Refused(r.Text))
		}
		return nil
	}
	if err != nil {
		return err
	}
	switch over.Kind.Name {
	case run.Drift:
		return e.driftEnded(ctx, over, o)
	case run.Branch:
		return nil
	}
	p, err := e.enter(ctx, r.Repository)
	if err != nil {
		return err
	}
	s, err := p.look(ctx, over.Kind.Number, true)
	if errors.Is(err, vcshost.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.follow(ctx, over, o); err != nil {
		return err
	}
	o.observe(s)
	return nil
}

// unstarted gives the statuses of a job that has no runs a final state.
func (o *outcome) unstarted(j job) {
	for _, name := range j.Pending {
		again := slices.ContainsFunc(o.pull.Jobs, func(other job) bool { return slices.Contains(other.Pending, name) })
		if !again && o.pull.Head == j.Head && o.pull.Statuses[name] == vcshost.CheckPending {
			o.setStatus(vcshost.CommitStatus{Name: name, State: vcshost.CheckFailure, Description: "Not started", URL: o.url("")})
		}
	}
}

// follow decides what follows the end of a run.
func (s *scene) follow(ctx context.Context, over run.Run, o *outcome) error {
	current := over.Source.Commit == s.pr.SHA || s.history.subject.State == rules.Merged
	if s.history.subject.State == rules.Open && current {
		o.pull.at(s.pr.SHA)
	}
	j, known := o.pull.end(over.ID)
	if !known { // it was started by API
		j = job{ID: o.id, Operation: operationOf(over), Login: over.User, Query: over.TagQuery, Runs: []run.ID{over.ID}, Ended: []run.ID{over.ID}}
	}
	if over.State == run.Aborted {
		if err := s.aborted(ctx, over, j, current, o); err != nil {
			return err
		}
	} else {
		found, err := s.results(ctx, over)
		if err != nil {
			return err
		}
		if current {
			o.results(over, found, finalStatuses/len(j.Runs))
		}
	}
	if some, err := s.completed(ctx, j); err != nil || !some || !j.over() {
		return err
	}
	report, success, err := s.report(ctx, o, j, current)
	if err != nil {
		return err
	}
	next, err := s.next(ctx, j, over, current, success, o)
	if err != nil {
		return err
	}
	o.show(s, report)
	return next()
}

// completed reports whether one of the runs of a job has a result.
func (s *scene) completed(ctx context.Context, j job) (bool, error) {
	for _, id := range j.Runs {
		r, err := s.Runs.Get(ctx, id)
		if harmless(err) != nil {
			return false, err
		}
		if r.State == run.Completed {
			return true, nil
		}
	}
	return false, nil
}

func operationOf(r run.Run) rules.Operation {
	if r.Type.IsApply() {
		return rules.OpApply
	}
	return rules.OpPlan
}

// results sets the statuses of a run that is completed, if it has at most most dirspaces.
func (o *outcome) results(over run.Run, found *result.Result, most int) {
	of := status.Plan
	if over.Type.IsApply() {
		of = status.Apply
	}
	for i, d := range over.Dirspaces {
		bits := over.Result.Outcomes[i]
		state, text := vcshost.CheckSuccess, succeeded
		if !bits.Has(run.HasResult | run.Succeeded) {
			state, text = vcshost.CheckFailure, failedText
		}
		o.dirspaceStatuses(of, []run.Dirspace{d}, most/max(1, len(over.Dirspaces)), over.ID, state, text)
		if of == status.Plan && state == vcshost.CheckSuccess && bits.Has(run.PlanStored) && !bits.Has(run.HasChanges) {
			o.dirspaceStatuses(status.Apply, []run.Dirspace{d}, most/max(1, len(over.Dirspaces)), over.ID, state, "No changes")
		}
	}
	if found == nil {
		return
	}
	if found.Hooks.Pre != nil && !*found.Hooks.Pre {
		o.hookStatus(status.PreHooks(of), over.ID)
	}
	if found.Hooks.Post != nil && !*found.Hooks.Post {
		o.hookStatus(status.PostHooks(of), over.ID)
	}
}

func (o *outcome) hookStatus(name string, id run.ID) {
	o.setStatus(vcshost.CommitStatus{Name: name, State: vcshost.CheckFailure, Description: failedText, URL: o.url(id)})
}

// quiet are the reasons of runs that ended because something else took their place: that
// says what there is to say.
var quiet = []run.ReasonCode{run.Superseded, run.BranchMoved, run.PullRequestClosed, run.RepositoryRemoved}

// aborted decides what follows the end of a run without a result.
func (s *scene) aborted(ctx context.Context, over run.Run, j job, current bool, o *outcome) error {
	if slices.Contains(quiet, over.Reason.Code) {
		return nil
	}
	if current {
		of := status.Plan
		if over.Type.IsApply() {
			of = status.Apply
		}
		o.dirspaceStatuses(of, over.Dirspaces, finalStatuses/len(j.Runs), over.ID, vcshost.CheckFailure, over.Reason.Text)
	}
	switch {
	case over.Reason.Code == run.Unlocked || over.Reason.Code == run.ByPerson:
		return nil // whoever did it knows, and was answered
	case over.Reason.Code == run.WrongCommit && current && over.Type.IsPlan() && o.pull.Retried != s.pr.SHA && s.ready && s.history.subject.State == rules.Open:
		o.pull.Retried = s.pr.SHA
		return o.autoplan(ctx, s, j.Actor, o.pull.Planned)
	case over.Reason.Code == run.WrongCommit && !current:
		return nil // what was pushed is planned by its own event
	}
	o.say(texts.Aborted(over.Type.IsApply(), over.Reason.Text, s.url(s.of, over.ID)))
	return nil
}

// next returns what is done after the results of a job are shown.
func (s *scene) next(ctx context.Context, j job, over run.Run, current, success bool, o *outcome) (func() error, error) {
	nothing := func() error { return nil }
	if !current || !s.ready || len(s.loaded.Mistakes) > 0 || s.loaded.Set == nil || !s.loaded.Config.Enabled {
		return nothing, nil
	}
	standing := rules.Stand(s.loaded.Set, s.history.subject, s.history.results, s.history.merges)
	var ran []run.Dirspace
	for _, id := range j.Runs {
		r, err := s.Runs.Get(ctx, id)
		if harmless(err) != nil {
			return nil, err
		}
		ran = append(ran, r.Dirspaces...)
	}
	follow := standing.After(ran, over.Type.IsPlan(), s.loaded.Tree)
	if follow == rules.Wait && j.Operation == rules.OpApplyAutoapprove && success {
		return func() error { return s.applyNext(ctx, j, o) }, nil
	}
	switch follow {
	case rules.Finished:
		return func() error { return s.finish(j, o) }, nil
	case rules.PlanNext:
		return func() error { return s.planNext(ctx, j, o) }, nil
	case rules.ApplyNext:
		if !success {
			return nothing, nil
		}
		return func() error { return s.autoapplyNext(ctx, j, o) }, nil
	}
	return func() error { o.aggregate(vcshost.CheckPending); return nil }, nil
}

// finish ends a pull request of which everything is applied.
func (s *scene) finish(j job, o *outcome) error {
	o.aggregate(vcshost.CheckSuccess)
	merge := s.loaded.Config.Automerge
	explicit := j.apply() && !j.Automatic
	if !merge.Enabled || s.history.subject.State != rules.Open || len(s.loaded.Set.Members) == 0 || merge.RequireExplicitApply && !explicit || o.pull.Merging == s.pr.SHA {
		return nil
	}
	o.pull.Merging = s.pr.SHA
	title := texts.MergeTitle(sign(s.of), s.number)
	if merge.RetainTitle && merge.Strategy == repoconfig.MergeSquash {
		title = texts.SquashTitle(s.pr.Title, sign(s.of), s.number)
	}
	o.add(effect{Kind: merges, Key: o.id + "-merge", Merge: &vcshost.Merge{Head: s.pr.SHA, Method: vcshost.MergeMethod(merge.Strategy), Title: title}})
	if merge.DeleteBranch {
		o.add(effect{Kind: deletesBranch, Branch: s.pr.Branch})
	}
	return nil
}

// planNext plans the next layer.
func (s *scene) planNext(ctx context.Context, j job, o *outcome) error {
	if err := s.settled(ctx); err != nil {
		return err
	}
	operation := rules.OpPlan
	if j.Operation == rules.OpApplyAutoapprove && j.Query == "" { // a query names what is applied, and no more
		operation = j.Operation
	}
	d, err := s.decidePlan(ctx, o, operation, repoconfig.Query{}, true, j.Actor)
	if err != nil {
		return err
	}
	return o.act(s, d, job{Operation: operation, Automatic: true, Login: j.Login, Actor: j.Actor})
}

// autoapplyNext applies what a stack applies by itself.
func (s *scene) autoapplyNext(ctx context.Context, j job, o *outcome) error {
	if err := s.settled(ctx); err != nil {
		return err
	}
	d, err := s.decideApply(ctx, o, rules.OpApply, repoconfig.Query{}, true, j.Actor)
	if err != nil {
		return err
	}
	return o.act(s, d, job{Operation: rules.OpApply, Automatic: true, Login: j.Login, Actor: j.Actor})
}

// applyNext applies what apply-autoapprove has planned.
func (s *scene) applyNext(ctx context.Context, j job, o *outcome) error {
	if err := s.settled(ctx); err != nil {
		return err
	}
	q, err := queryOf(j.Query)
	if err != nil {
		return err
	}
	d, err := s.decideApply(ctx, o, rules.OpApplyAutoapprove, q, false, j.Actor)
	if err != nil {
		return err
	}
	return o.act(s, d, job{Operation: rules.OpApply, Login: j.Login, Actor: j.Actor, Query: j.Query})
}
