package evaluator

import (
	"strings"

	"github.com/opsplane/opsplane/shared/evaluation/decide"
	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/evaluation/status"
	"github.com/opsplane/opsplane/shared/evaluation/work"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// act adds what a decision about a pull request does. j is the job that its runs belong
// to.
func (o *outcome) act(s *scene, d decide.Decision, j job) error {
	if d.Close {
		o.settle(vcshost.CheckFailure, closedText)
	}
	j.ID, j.Denied, j.Created = o.id, d.Denied, o.now
	var made []run.Spec
	for _, n := range d.Runs {
		spec, e, err := s.newRun(n, j)
		if err != nil {
			return err
		}
		made = append(made, spec)
		j.Runs = append(j.Runs, spec.ID)
		o.add(e)
	}
	for _, id := range d.Abort {
		o.abort(id, run.ReasonSuperseded(j.Runs[0]), false)
	}
	switch d.Aggregate {
	case decide.Pending:
		o.aggregate(vcshost.CheckPending)
	case decide.Green:
		o.aggregate(vcshost.CheckSuccess)
	}
	if len(made) > 0 {
		j.Head = o.pull.Head
		for _, spec := range made {
			of := status.Plan
			if spec.Type.IsApply() {
				of = status.Apply
			}
			o.dirspaceStatuses(of, spec.Dirspaces, pendingStatuses/len(made), spec.ID, vcshost.CheckPending, underWay)
			for _, d := range spec.Dirspaces[:min(len(spec.Dirspaces), pendingStatuses)] {
				j.Pending = append(j.Pending, status.Of(of, d))
			}
		}
		o.pull.Jobs = append(o.pull.Jobs, j)
		if made[0].Type.IsApply() {
			o.owns(s)
		}
		o.pull.Told = ""
	}
	if j.Automatic {
		if d.Comment != "" {
			o.tell(d.Comment)
		}
	} else {
		o.say(d.Comment)
	}
	return nil
}

// newRun returns a run of a decision, and the effect that starts it.
func (s *scene) newRun(n decide.NewRun, j job) (run.Spec, effect, error) {
	subject := s.history.subject
	spec := run.Spec{
		ID: run.NewID(), Repository: s.of, Owner: s.repo.Owner, Name: s.repo.Name, Type: n.Type,
		Kind: run.Kind{Name: run.PullRequest, Number: s.number, Title: cut(s.pr.Title, run.MaxText)},
		Base: subject.Base, Source: s.working(), Environment: n.Batch.Environment, RunsOn: n.Batch.RunsOn,
		TagQuery: cut(j.Query, run.MaxTagQuery), User: cut(j.Login, run.MaxText), Principal: principalOf(s.of.Installation.VCS, j.Login),
	}
	if subject.State == rules.Merged {
		spec.Base.Commit = spec.Source.Commit // so that the runner may have a later commit of the branch
	}
	made, e, err := s.place.newRun(spec, n.Batch.Members, s.loaded.Config, subject)
	e.Plans = s.history.plans(made)
	return made, e, err
}

// newRun completes a run with its dirspaces and its configuration.
func (p *place) newRun(spec run.Spec, members []*matching.Member, config *repoconfig.Config, subject rules.Subject) (run.Spec, effect, error) {
	o, err := work.Order(spec, rules.Batch{Environment: spec.Environment, RunsOn: spec.RunsOn, Members: members}, config)
	return o.Spec, effect{Kind: startsRun, Spec: &o.Spec, Config: o.Config, Dirspaces: o.Dirspaces, Subject: &subject, Run: spec.ID}, err
}

// principalOf returns how the audit trail names a person of a host who is no user here.
func principalOf(v vcs.VCS, login string) string {
	if login == "" {
		return "server:orchestrator"
	}
	return string(v) + ":" + cut(login, run.MaxText/2)
}

// cut returns the beginning of a text, without a part of a character at its end.
func cut(text string, most int) string {
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}

// owns stores what the pull request may lock.
func (o *outcome) owns(s *scene) {
	o.owner = &owner{Subject: s.history.subject, Set: union(holdings(s.loaded.Set, s.history.results.AppliedBefore(s.history.subject)), s.hist.held(s.history.subject.Origin).Set), About: s.about(), Since: s.hist.held(s.history.subject.Origin).Since}
}

// plans returns the plan of each dirspace that an apply uses. A plan uses none.
func (h *history) plans(s run.Spec) []run.ID {
	if !s.Type.IsApply() {
		return nil
	}
	made := make([]run.ID, len(s.Dirspaces))
	for i, d := range s.Dirspaces {
		if _, by := h.results[d].Plan(h.subject, h.merges); by != nil {
			made[i] = by.Run
		}
	}
	return made
}
