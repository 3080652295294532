package evaluator

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/opsplane/opsplane/shared/evaluation/comment"
	"github.com/opsplane/opsplane/shared/evaluation/decide"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/evaluation/source"
	"github.com/opsplane/opsplane/shared/evaluation/texts"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// commanded carries out the command of a comment.
func (e *Evaluator) commanded(ctx context.Context, r lane.Request, o *outcome) error {
	c, ok, wrong := comment.Parse(r.Text)
	if !ok {
		return nil
	}
	p, err := e.enter(ctx, r.Repository)
	if err != nil {
		return err
	}
	var unknown *comment.UnknownError
	var argument *comment.ArgumentError
	switch {
	case errors.As(wrong, &unknown) && r.Repository.Installation.VCS == vcs.GitLab:
		return nil // GitLab's users write to many programs
	case errors.As(wrong, &unknown):
		o.say(texts.Help(c.Trigger, unknown.Word))
		return nil
	case errors.As(wrong, &argument):
		o.say(texts.BadArgument(argument))
		return nil
	}
	sender := vcshost.Profile{ID: r.SenderID, Login: r.Sender}
	s, err := p.look(ctx, r.Number)
	if errors.Is(err, vcshost.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	o.pull.Trigger = c.Trigger
	if s.history.subject.State == rules.Open {
		o.supersede(s)
		o.pull.at(s.pr.SHA)
	}
	o.add(effect{Kind: reacts, Comment: r.Comment})
	if err := s.carryOut(ctx, c, o, sender); err != nil {
		return err
	}
	o.observe(s)
	return nil
}

// carryOut carries out a command.
func (s *scene) carryOut(ctx context.Context, c comment.Command, o *outcome, sender vcshost.Profile) error {
	switch c.Action {
	case comment.Help:
		o.say(texts.Help(c.Trigger, ""))
		return nil
	case comment.Feedback:
		s.Log.LogAttrs(ctx, slog.LevelInfo, "feedback", slog.String("repository", s.of.String()), slog.String("login", sender.Login), slog.String("text", cut(c.Text, maxFeedback)))
		return nil
	case comment.RepoConfig:
		return s.showConfig(o)
	}
	if allowed, err := s.mayCommand(ctx, sender); err != nil || !allowed {
		if err == nil {
			o.say(texts.NoWrite(sender.Login))
		}
		return err
	}
	switch c.Action {
	case comment.Unlock:
		return s.unlock(ctx, c, o, sender)
	case comment.Gate:
		return s.approveGates(ctx, c, o, sender)
	}
	return s.start(ctx, c, o, sender)
}

// mayCommand reports whether a person may give commands. They need to be able to write at
// the host, because an apply changes infrastructure, or access_control has to name them:
// its * means everybody who may write. Without access_control, an account that the host
// does not describe may command in a repository that only members see: somebody let it in.
func (s *scene) mayCommand(ctx context.Context, sender vcshost.Profile) (bool, error) {
	role, err := s.host.Role(ctx, s.repo.Description, sender)
	if err != nil {
		return false, err
	}
	switch role {
	case "read", "triage", "":
	default:
		return true, nil
	}
	if s.loaded.Config != nil && s.loaded.Config.AccessControl.Enabled {
		return source.Named(ctx, s.host, s.repo.Description, s.loaded.Config.AccessControl, sender)
	}
	return role == "" && s.repo.MembersOnly, nil
}

// maxFeedback is how much of a feedback is logged, in bytes.
const maxFeedback = 2000

// showConfig answers with the effective configuration.
func (s *scene) showConfig(o *outcome) error {
	switch {
	case s.fork():
		o.say(texts.Fork())
	case !s.ready:
		o.say(texts.ClosedAlready())
	case len(s.loaded.Mistakes) > 0:
		o.say(texts.Mistakes(s.loaded.Mistakes))
	default:
		for _, text := range texts.RepoConfig(s.loaded.Config.Settings()) {
			o.say(text)
		}
	}
	return nil
}

// unlock makes void what was planned, and aborts what is queued or running.
func (s *scene) unlock(ctx context.Context, c comment.Command, o *outcome, sender vcshost.Profile) error {
	if s.loaded.Config != nil {
		control := s.loaded.Config.AccessControl
		actor, err := source.Unlocker(ctx, s.host, s.repo.Description, control, sender)
		if err != nil {
			return err
		}
		if !rules.MayUnlock(control, actor) {
			o.say(texts.NoUnlock(sender.Login, control.Unlock))
			return nil
		}
	}
	origins := c.Unlocks
	if len(origins) == 0 {
		origins = []run.Origin{s.history.subject.Origin}
	}
	aborted := 0
	for _, row := range s.hist.rows {
		if row.State.Active() && slices.Contains(origins, row.Origin) {
			aborted++
		}
	}
	for _, origin := range origins {
		o.add(effect{Kind: unlocks, Origin: origin, By: sender.Login})
	}
	o.say(texts.Unlocked(sign(s.of), origins, aborted))
	return nil
}

// operations are what commands ask for.
var operations = map[comment.Action]rules.Operation{
	comment.Plan: rules.OpPlan, comment.Apply: rules.OpApply, comment.ApplyForce: rules.OpApplyForce, comment.ApplyAutoapprove: rules.OpApplyAutoapprove,
}

// start plans or applies.
func (s *scene) start(ctx context.Context, c comment.Command, o *outcome, sender vcshost.Profile) error {
	if err := s.settled(ctx); err != nil {
		return err
	}
	operation := operations[c.Action]
	j := job{Operation: operation, Login: sender.Login, Actor: sender, Query: c.Query.Text}
	if operation == rules.OpPlan {
		d, err := s.decidePlan(ctx, o, operation, c.Query, false, sender)
		if err != nil {
			return err
		}
		return s.conclude(ctx, o, d, j)
	}
	d, err := s.decideApply(ctx, o, operation, c.Query, false, sender)
	switch {
	case err != nil:
		return err
	case operation == rules.OpApplyAutoapprove && d.Refusal == decide.Unplanned:
		if d, err = s.decidePlan(ctx, o, operation, c.Query, false, sender); err != nil {
			return err
		}
	case operation == rules.OpApplyAutoapprove:
		j.Operation = rules.OpApply
	}
	return s.conclude(ctx, o, d, j)
}

// decidePlan decides about a plan.
func (s *scene) decidePlan(ctx context.Context, o *outcome, operation rules.Operation, q repoconfig.Query, automatic bool, sender vcshost.Profile) (decide.Decision, error) {
	snapshot := s.snapshot()
	request := decide.Request{Operation: operation, Query: q, Automatic: automatic, Trigger: o.pull.trigger()}
	var err error
	if snapshot.Facts, request.Actor, err = s.facts(ctx, operation, automatic, sender); err != nil {
		return decide.Decision{}, err
	}
	// A plan changes nothing, and its runner merges the destination before it works. So a
	// host that has not found out yet whether there is a conflict does not hold it up.
	snapshot.Facts.Mergeable, snapshot.Facts.MergeUnknown = snapshot.Facts.Mergeable || snapshot.Facts.MergeUnknown, false
	return decide.Plan(snapshot, request), nil
}

// decideApply decides about an apply, with the gates of its plans.
func (s *scene) decideApply(ctx context.Context, o *outcome, operation rules.Operation, q repoconfig.Query, automatic bool, sender vcshost.Profile) (decide.Decision, error) {
	snapshot := s.snapshot()
	request := decide.Request{Operation: operation, Query: q, Automatic: automatic, Trigger: o.pull.trigger()}
	var err error
	if snapshot.Facts, request.Actor, err = s.facts(ctx, operation, automatic, sender); err != nil {
		return decide.Decision{}, err
	}
	d := decide.Apply(snapshot, request)
	if len(d.Runs) == 0 || operation == rules.OpApplyForce {
		return d, nil
	}
	pending, err := s.pendingGates(ctx, o, d)
	if err != nil || len(pending) == 0 {
		return d, err
	}
	return decide.Decision{Refusal: decide.NotMet, Comment: texts.Gates(request.Trigger, pending)}, nil
}

// conclude adds what a decision about a command does.
func (s *scene) conclude(ctx context.Context, o *outcome, d decide.Decision, j job) error {
	if d.Refusal == decide.ClosedAlready {
		d.Comment = texts.ClosedAlready()
	}
	if err := o.act(s, d, j); err != nil {
		return err
	}
	return o.changeSet(ctx, s)
}
