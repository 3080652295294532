package evaluator

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/evaluation/comment"
	"github.com/opsplane/opsplane/shared/evaluation/decide"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/evaluation/source"
	"github.com/opsplane/opsplane/shared/evaluation/texts"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/tagquery"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// maxApplyAge is how old a command may be that applies something. What was planned since is
// not what the person saw.
const maxApplyAge = time.Hour

// commanded carries out the command of a comment.
func (e *Evaluator) commanded(ctx context.Context, r lane.Request, o *outcome) error {
	c, ok, wrong := comment.Parse(r.Text)
	if !ok {
		return nil
	}
	var unknown *comment.UnknownError
	if errors.As(wrong, &unknown) && r.Repository.Installation.VCS == vcs.GitLab {
		return nil // GitLab's users write to many programs
	}
	p, err := e.enter(ctx, r.Repository)
	if err != nil {
		return err
	}
	sender := vcshost.Profile{ID: r.SenderID, Login: r.Sender}
	may, err := p.mayCommand(ctx, sender)
	if err != nil || may == stranger {
		return err // strangers do not make this server write
	}
	var argument *comment.ArgumentError
	switch {
	case may == reader && p.repo.MembersOnly:
		o.say(texts.NoWrite(sender.Login))
		return nil
	case may == reader: // everybody may read a public repository
		o.tell(texts.NoWrite(sender.Login))
		return nil
	case unknown != nil:
		o.say(texts.Help(c.Trigger, unknown.Word))
		return nil
	case errors.As(wrong, &argument):
		o.say(texts.BadArgument(argument))
		return nil
	case applies(c.Action) && e.Now().Sub(r.At) > maxApplyAge:
		o.say(texts.TooLate(c.Trigger, string(c.Action)))
		return nil
	}
	s, err := p.look(ctx, r.Number, o.known || applies(c.Action) || c.Action == comment.Plan)
	if errors.Is(err, vcshost.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := o.noteMerge(ctx, s); err != nil {
		return err
	}
	o.pull.Trigger = c.Trigger
	o.add(effect{Kind: reacts, Comment: r.Comment})
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
	if s.history.subject.State == rules.Open {
		o.supersede(s)
		o.pull.at(s.pr.SHA)
	}
	switch c.Action {
	case comment.Unlock:
		err = s.unlock(ctx, c, o, sender)
	case comment.Gate:
		err = s.approveGates(ctx, c, o, sender)
	default:
		err = s.start(ctx, c, o, sender)
	}
	if err != nil {
		return err
	}
	o.observe(s)
	return nil
}

// applies reports whether a command changes infrastructure.
func applies(a comment.Action) bool {
	return a == comment.Apply || a == comment.ApplyForce || a == comment.ApplyAutoapprove
}

// standingOf says what a person is in a repository.
type standingOf int

const (
	stranger standingOf = iota // somebody whom nobody let in
	reader                     // somebody who may not write
	member                     // somebody who may give commands
)

// mayCommand says whether a person may give commands. Commands change infrastructure, so
// the person needs to be able to write at the host, or to be named by access_control. In a
// repository that only its members see, an account that the host does not describe may
// comment only because somebody let it in: there it may command, unless access_control is
// on.
func (p *place) mayCommand(ctx context.Context, who vcshost.Profile) (standingOf, error) {
	role, err := p.host.Role(ctx, p.repo.Description, who)
	if err != nil {
		return stranger, err
	}
	found := member
	switch role {
	case "read", "triage":
		found = reader
	case "":
		if !p.repo.MembersOnly {
			found = stranger
		}
	}
	if found == member && role != "" {
		return member, nil
	}
	config, err := p.defaults(ctx)
	if err != nil || config == nil || !config.AccessControl.Enabled {
		return found, err
	}
	named, err := source.Named(ctx, p.host, p.repo.Description, config.AccessControl, who)
	switch {
	case named:
		found = member
	case found == member:
		found = reader
	}
	return found, err
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
	config, err := s.defaults(ctx)
	if err != nil {
		return err
	}
	if config == nil { // nobody knows whom the default branch lets unlock
		role, err := s.host.Role(ctx, s.repo.Description, sender)
		if err != nil {
			return err
		}
		if role != "admin" && role != "maintain" {
			o.say(texts.NoUnlock(sender.Login, []string{"role:maintain"}))
			return nil
		}
	} else {
		actor, err := source.Unlocker(ctx, s.host, s.repo.Description, config.AccessControl, sender)
		if err != nil {
			return err
		}
		if !rules.MayUnlock(config.AccessControl, actor) {
			o.say(texts.NoUnlock(sender.Login, config.AccessControl.Unlock))
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
	if tag := unknownExcept(s.loaded.Tree, c.Query.Expr, false); tag != "" && applies(c.Action) {
		o.say(texts.UnknownTag(tag))
		return nil
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

// unknownExcept returns a tag that a query excludes and that no dirspace has, or the empty
// text. Such a query means more than its writer thought: "apply not yet" would apply
// everything. excluded says that the query stands behind a "not".
func unknownExcept(r *matching.Repository, q tagquery.Expr, excluded bool) string {
	switch q := q.(type) {
	case tagquery.Tag:
		has := func(d *matching.Dirspace) bool { return slices.Contains(d.Tags, string(q)) }
		if excluded && r != nil && !slices.ContainsFunc(r.Dirspaces, has) {
			return string(q)
		}
	case tagquery.Not:
		return unknownExcept(r, q.Expr, true)
	case tagquery.And:
		return cmp.Or(unknownExcept(r, q.Left, excluded), unknownExcept(r, q.Right, excluded))
	case tagquery.Or:
		return cmp.Or(unknownExcept(r, q.Left, excluded), unknownExcept(r, q.Right, excluded))
	}
	return ""
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
