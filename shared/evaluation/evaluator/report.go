package evaluator

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/evaluation/texts"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/result"
	"github.com/opsplane/opsplane/shared/tagquery"
)

// maxEarlier is how many runs are read for the results of dirspaces that a job does not
// have. Beyond, these are shown without numbers.
const maxEarlier = 5

// results reads the stored result of a run; nil if it is gone.
func (s *scene) results(ctx context.Context, r run.Run) (*result.Result, error) {
	if r.Result == nil {
		return nil, nil
	}
	found, err := s.Outputs.Result(ctx, r.ID, *r.Result)
	if errors.Is(err, output.ErrExpired) {
		return nil, nil
	}
	return found, err
}

// report returns what the comment after a job tells, and whether all of the job
// succeeded. current says that the job worked on the present commits: then results of
// other dirspaces that still stand are told too.
func (s *scene) report(ctx context.Context, o *outcome, j job, current bool) (texts.Result, bool, error) {
	made := texts.Result{Apply: j.apply(), Trigger: o.pull.trigger(), URL: s.url(s.of, j.Runs[0]), Layers: 1, Layer: 1, Denied: j.Denied}
	if len(j.Runs) > 1 {
		made.URL = o.url("")
	}
	success := true
	told := map[run.Dirspace]bool{}
	for _, id := range j.Runs {
		r, err := s.Runs.Get(ctx, id)
		if err != nil {
			if harmless(err) != nil {
				return made, false, err
			}
			success = false
			continue
		}
		found, err := s.results(ctx, r)
		if err != nil {
			return made, false, err
		}
		success = success && r.State == run.Completed && r.Result.Success
		if r.State == run.Completed {
			made.Dirspaces = append(made.Dirspaces, dirspacesOf(r, found, false)...)
			made.Hooks = append(made.Hooks, hooksOf(found)...)
		}
		for _, d := range r.Dirspaces {
			told[d] = true
		}
	}
	if current && s.ready && s.loaded.Set != nil {
		if err := s.earlier(ctx, &made, told); err != nil {
			return made, false, err
		}
		made.Layers = max(1, s.loaded.Set.Layers)
		for _, m := range s.loaded.Set.Members {
			if told[m.Dirspace.Dirspace] {
				made.Layer = m.Layer + 1
				break
			}
		}
	}
	return made, success, nil
}

// earlier adds the results of dirspaces of the change that the job does not have.
func (s *scene) earlier(ctx context.Context, made *texts.Result, told map[run.Dirspace]bool) error {
	byRun := map[run.ID][]run.Dirspace{}
	var order []run.ID
	for _, m := range s.loaded.Set.Members {
		d := m.Dirspace.Dirspace
		if told[d] {
			continue
		}
		validity, by := s.history.results[d].Plan(s.history.subject, s.history.merges)
		if by == nil || by.Origin != s.history.subject.Origin || validity == rules.NoPlan {
			continue
		}
		if byRun[by.Run] == nil {
			order = append(order, by.Run)
		}
		byRun[by.Run] = append(byRun[by.Run], d)
	}
	for n, id := range order {
		r, err := s.Runs.Get(ctx, id)
		if err != nil {
			if harmless(err) != nil {
				return err
			}
			continue
		}
		var found *result.Result
		if n < maxEarlier {
			if found, err = s.results(ctx, r); err != nil {
				return err
			}
		}
		for _, d := range dirspacesOf(r, found, true) {
			if slices.Contains(byRun[id], d.Dirspace) {
				d.Other = made.Apply == r.Type.IsPlan()
				made.Dirspaces = append(made.Dirspaces, d)
			}
		}
	}
	return nil
}

// dirspacesOf returns what came of the dirspaces of a run. found may be nil.
func dirspacesOf(r run.Run, found *result.Result, earlier bool) []texts.Dirspace {
	read := map[run.Dirspace]result.Dirspace{}
	steps := map[run.Dirspace][]texts.Step{}
	if found != nil {
		for _, d := range found.Dirspaces {
			read[d.Dirspace] = d
		}
		for _, step := range found.Steps {
			if step.Scope.Type != result.ScopeDirspace {
				continue
			}
			d := run.Dirspace{Dir: step.Scope.Dir, Workspace: step.Scope.Workspace}
			if shown, ok := stepOf(found, step, read[d].Success); ok {
				steps[d] = append(steps[d], shown)
			}
		}
	}
	made := make([]texts.Dirspace, len(r.Dirspaces))
	for i, d := range r.Dirspaces {
		bits := run.Outcome(0)
		if r.Result != nil {
			bits = r.Result.Outcomes[i]
		}
		made[i] = texts.Dirspace{Dirspace: d, Success: bits.Has(run.HasResult | run.Succeeded), Counts: read[d].Counts, Steps: steps[d], Earlier: earlier}
		if r.Type.IsPlan() && bits.Has(run.PlanStored) {
			changes := bits.Has(run.HasChanges)
			made[i].HasChanges = &changes
		}
	}
	return made
}

// hooksOf returns the hooks that failed.
func hooksOf(found *result.Result) []texts.Step {
	var made []texts.Step
	if found == nil {
		return nil
	}
	for _, step := range found.Steps {
		if step.Scope.Type != result.ScopeRun || step.Passed() {
			continue
		}
		if shown, ok := stepOf(found, step, false); ok {
			made = append(made, shown)
		}
	}
	return made
}

// stepOf returns a step as a comment shows it. ok is false if it is not shown: a step says
// itself after which outcome it is.
func stepOf(found *result.Result, step result.Step, success bool) (shown texts.Step, ok bool) {
	var payload struct {
		VisibleOn string  `json:"visible_on"`
		Plan      *string `json:"plan"`
	}
	text := found.Payload(step)
	_ = json.Unmarshal(text, &payload) // members of other types count as absent
	switch payload.VisibleOn {
	case "error", "failure":
		ok = !step.Passed() || !success
	case "success":
		ok = success
	default:
		ok = true
	}
	shown = texts.Step{Name: step.Name, Success: step.Passed(), Text: result.Text(text)}
	if payload.Plan != nil && strings.HasSuffix(step.Name, "/plan") && step.Success {
		shown.Text, shown.Plan = *payload.Plan, true
	}
	return shown, ok && strings.TrimSpace(shown.Text) != ""
}

// show adds the comments of a result, and folds those of the result before.
func (o *outcome) show(s *scene, r texts.Result) {
	if len(r.Dirspaces) == 0 && len(r.Hooks) == 0 {
		return
	}
	strategy := repoconfig.CommentMinimize
	if s.ready && s.loaded.Config != nil {
		strategy = s.strategy(r)
	}
	for i, text := range texts.Comments(r) {
		as := comments
		if i == 0 && strategy == repoconfig.CommentUpdate {
			as = edits
		}
		o.comment(as, text, o.id)
	}
	o.add(effect{Kind: folds, Shows: o.id, Strategy: strategy})
}

// strategy returns how comments about the dirspaces of a result are made: the first policy
// that matches one of them.
func (s *scene) strategy(r texts.Result) repoconfig.CommentStrategy {
	for _, n := range s.loaded.Config.Notifications {
		for _, d := range r.Dirspaces {
			if found := s.loaded.Tree.Find(d.Dirspace); found != nil && found.Matches(n.Query) {
				return n.Strategy
			}
		}
	}
	return repoconfig.CommentMinimize
}

// queryOf reads the tag query of a job again.
func queryOf(text string) (repoconfig.Query, error) {
	q := repoconfig.Query{Text: text}
	var err error
	q.Expr, err = tagquery.Parse(text)
	return q, err
}
