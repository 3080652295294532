package evaluator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/evaluation/decide"
	"github.com/opsplane/opsplane/shared/evaluation/drift"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/evaluation/source"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// watch is what the evaluator remembers of the schedules for drift of a repository. Its
// JSON form is the one that is stored.
type watch struct {
	// Head is the default branch with the commit whose configuration has the schedules.
	Head vcshost.Branch `json:"head"`
	// Check is when the schedules are looked at next. It is zero if there are none.
	Check     time.Time  `json:"check"`
	Schedules []schedule `json:"schedules,omitempty"`
	// Jobs are those whose runs have not all ended.
	Jobs []driftJob `json:"jobs,omitempty"`
}

// schedule is a schedule for drift.
type schedule struct {
	Name string `json:"name"`
	// Digest tells whether the schedule has changed.
	Digest string `json:"digest"`
	// Changed is when it was seen with this digest first. Tried is when it started runs
	// last.
	Changed time.Time `json:"changed"`
	Tried   time.Time `json:"tried"`
}

// driftJob is a search for drift.
type driftJob struct {
	job
	Reconcile bool `json:"reconcile,omitempty"`
}

// schedules evaluates a push to the default branch, and the time at which schedules are
// looked at.
func (e *Evaluator) schedules(ctx context.Context, r lane.Request, o *outcome) error {
	w, row, err := e.watching(ctx, o)
	if err != nil {
		return err
	}
	if r.Kind == lane.Drift && !r.At.Equal(w.Check) {
		o.writes = append(o.writes, e.Lanes.WriteCheck(o.of, r.At, time.Time{})...)
		return nil // the check was moved since
	}
	p, err := e.enter(ctx, r.Repository)
	if err != nil {
		return err
	}
	before := w.Check
	config, err := e.schedulesAt(ctx, p, &w, o.now)
	if err != nil {
		return err
	}
	if config != nil {
		if err := e.search(ctx, p, config, &w, o); err != nil {
			return err
		}
	}
	w.Check = next(w, config, r, o.now)
	o.writes = append(o.writes, e.Lanes.WriteCheck(o.of, before, w.Check)...)
	return e.writeWatch(o, w, row)
}

// watching reads what is remembered of the schedules.
func (e *Evaluator) watching(ctx context.Context, o *outcome) (watch, lane.Row, error) {
	row, err := e.Lanes.State(ctx, o.of)
	var w watch
	if err == nil && len(row.Body) > 0 {
		if err = json.Unmarshal(row.Body, &w); err != nil {
			err = fmt.Errorf("decode the schedules of %s: %w", o.of, err)
		}
	}
	return w, row, err
}

func (e *Evaluator) writeWatch(o *outcome, w watch, row lane.Row) error {
	text, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("encode the schedules of %s: %w", o.of, err)
	}
	row.Body, row.Check = text, w.Check
	write, err := e.Lanes.WriteState(o.of, row)
	o.writes = append(o.writes, write)
	return err
}

// schedulesAt reads the schedules of the default branch. A configuration with mistakes has
// none.
func (e *Evaluator) schedulesAt(ctx context.Context, p *place, w *watch, now time.Time) (*repoconfig.Config, error) {
	var err error
	if w.Head, err = p.defaultBranch(ctx); err != nil {
		return nil, err
	}
	file, mistakes, err := e.Source.ConfigAt(ctx, p.host, p.place(), w.Head)
	if err != nil {
		return nil, err
	}
	config, wrong := repoconfig.LoadDefaultBranch(file)
	if len(mistakes) > 0 || wrong != nil || !config.Enabled || p.repo.Archived != nil && *p.repo.Archived {
		w.Schedules = nil
		return nil, nil
	}
	known := w.Schedules
	w.Schedules = nil
	for _, s := range config.Drift {
		made := schedule{Name: s.Name, Digest: digestOf(s), Changed: now}
		if i := slices.IndexFunc(known, func(k schedule) bool { return k.Name == s.Name }); i >= 0 {
			made.Tried = known[i].Tried
			if known[i].Digest == made.Digest {
				made.Changed = known[i].Changed
			}
		}
		w.Schedules = append(w.Schedules, made)
	}
	return config, nil
}

// digestOf returns a digest of all that a schedule says.
func digestOf(s repoconfig.DriftSchedule) string {
	window := ""
	if s.Window != nil {
		window = fmt.Sprint(s.Window.Start, s.Window.End)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%t\x00%s", s.Every, s.Query.Text, s.Reconcile, window))
	return hex.EncodeToString(sum[:8])
}

// search starts the runs of the schedules that are due.
func (e *Evaluator) search(ctx context.Context, p *place, config *repoconfig.Config, w *watch, o *outcome) error {
	var due []repoconfig.DriftSchedule
	for i, s := range config.Drift {
		if known := &w.Schedules[i]; drift.Due(s, known.Changed, known.Tried, o.now) {
			known.Tried = o.now
			due = append(due, s)
		}
	}
	if len(due) == 0 {
		return nil
	}
	ref := run.Ref{Branch: w.Head.Name, Commit: w.Head.SHA}
	loaded, err := e.Source.Load(ctx, p.host, p.place(), source.Wanted{Commit: w.Head.SHA, Default: w.Head, Source: w.Head.Name, Destination: w.Head.Name, All: true})
	if err != nil || loaded.Set == nil {
		return err
	}
	subject := rules.Subject{Origin: run.OriginOfDrift, State: rules.Open, Base: ref, Head: ref}
	found, err := p.hist.begin(ctx, subject, 0)
	if err != nil {
		return err
	}
	taken := map[run.Dirspace]bool{}
	for _, s := range due {
		var members []*matching.Member
		for _, m := range matching.Select(loaded.Set.Members, s.Query.Expr) {
			if !taken[m.Dirspace.Dirspace] && len(rules.Conflicts([]run.Dirspace{m.Dirspace.Dirspace}, false, run.OriginOfDrift, found.active, o.now)) == 0 {
				taken[m.Dirspace.Dirspace] = true
				members = append(members, m)
			}
		}
		j := driftJob{job: job{ID: fmt.Sprintf("%s-%s", o.id, s.Name), Operation: rules.OpPlan, Automatic: true, Query: s.Query.Text, Created: o.now}, Reconcile: s.Reconcile}
		if err := o.startDrift(p, loaded.Config, &found, rules.Batches(members, config.Batch), run.Plan, &j); err != nil {
			return err
		}
		if len(j.Runs) > 0 {
			w.Jobs = append(w.Jobs, j)
		}
	}
	return nil
}

// startDrift adds the runs of batches for drift.
func (o *outcome) startDrift(p *place, config *repoconfig.Config, found *history, batches []rules.Batch, of run.Type, j *driftJob) error {
	subject := found.subject
	for _, b := range batches {
		spec, started, err := p.newRun(run.Spec{
			ID: run.NewID(), Repository: p.of, Owner: p.repo.Owner, Name: p.repo.Name, Type: of, Kind: run.Kind{Name: run.Drift},
			Base: subject.Base, Source: subject.Head, Environment: b.Environment, RunsOn: b.RunsOn, TagQuery: cut(j.Query, run.MaxTagQuery), Principal: Principal,
		}, b.Members, config, subject)
		if err != nil {
			return err
		}
		started.Plans = found.plans(spec)
		o.add(started)
		j.Runs = append(j.Runs, spec.ID)
	}
	return nil
}

// driftEnded evaluates the end of a run for drift: what was found is reconciled, if the
// schedule says so.
func (e *Evaluator) driftEnded(ctx context.Context, over run.Run, o *outcome) error {
	w, row, err := e.watching(ctx, o)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(w.Jobs, func(j driftJob) bool { return slices.Contains(j.Runs, over.ID) })
	if i < 0 {
		return nil // it was started by API
	}
	j := &w.Jobs[i]
	if !slices.Contains(j.Ended, over.ID) {
		j.Ended = append(j.Ended, over.ID)
	}
	if done := *j; done.over() {
		w.Jobs = slices.Delete(w.Jobs, i, i+1)
		if done.Reconcile && done.Operation == rules.OpPlan {
			if err := e.reconcile(ctx, done, over, &w, o); err != nil {
				return err
			}
		}
	}
	return e.writeWatch(o, w, row)
}

// driftGone forgets a run for drift that was not created, or was removed.
func (e *Evaluator) driftGone(ctx context.Context, id run.ID, o *outcome) error {
	w, row, err := e.watching(ctx, o)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(w.Jobs, func(j driftJob) bool { return slices.Contains(j.Runs, id) })
	if i < 0 {
		return nil
	}
	j := &w.Jobs[i]
	j.Runs = slices.DeleteFunc(j.Runs, func(other run.ID) bool { return other == id })
	if j.over() {
		w.Jobs = slices.Delete(w.Jobs, i, i+1)
	}
	return e.writeWatch(o, w, row)
}

// reconcile applies what a search for drift has found.
func (e *Evaluator) reconcile(ctx context.Context, j driftJob, over run.Run, w *watch, o *outcome) error {
	p, err := e.enter(ctx, o.of)
	if err != nil {
		return err
	}
	head, err := p.defaultBranch(ctx)
	if err != nil || head.Name != over.Source.Branch || head.SHA != over.Source.Commit {
		return err // what was found is about an older commit: the next search finds what is left
	}
	loaded, err := e.Source.Load(ctx, p.host, p.place(), source.Wanted{Commit: head.SHA, Default: head, Source: head.Name, Destination: head.Name, All: true})
	if errors.Is(err, vcshost.ErrGone) || err == nil && loaded.Set == nil {
		return nil
	}
	if err != nil {
		return err
	}
	wanted := map[run.Dirspace]bool{}
	for _, id := range j.Runs {
		r, err := e.Runs.Get(ctx, id)
		if err != nil {
			if harmless(err) != nil {
				return err
			}
			continue
		}
		for i, d := range r.Dirspaces {
			if r.Result != nil && r.Result.Outcomes[i].Has(run.Succeeded|run.PlanStored|run.HasChanges) {
				wanted[d] = true
			}
		}
	}
	members := slices.DeleteFunc(slices.Clone(loaded.Set.Members), func(m *matching.Member) bool { return !wanted[m.Dirspace.Dirspace] })
	if len(members) == 0 {
		return nil
	}
	subject := rules.Subject{Origin: run.OriginOfDrift, State: rules.Open, Base: over.Base, Head: over.Source}
	found, err := p.hist.begin(ctx, subject, 0)
	if err != nil {
		return err
	}
	if err := p.hist.complete(ctx, &found, rules.Dirspaces(members)); err != nil {
		return err
	}
	members = decide.Reconcile(members, found.subject, found.results, found.merges, found.owners, found.active, o.now)
	next := driftJob{job: job{ID: o.id, Operation: rules.OpApply, Automatic: true, Query: j.Query, Created: o.now}}
	if err := o.startDrift(p, loaded.Config, &found, rules.Batches(members, loaded.Config.Batch), run.Apply, &next); err != nil {
		return err
	}
	if len(next.Runs) > 0 {
		w.Jobs = append(w.Jobs, next)
	}
	return nil
}

// Times between two looks at the schedules of a repository.
const (
	often  = 10 * time.Minute // if one has a window, which may be short
	seldom = time.Hour
)

// next returns when the schedules are looked at next: some minutes after the beginning of
// an hour, so that not all repositories are looked at in the same minute.
func next(w watch, config *repoconfig.Config, r lane.Request, now time.Time) time.Time {
	if config == nil || len(w.Schedules) == 0 {
		return time.Time{}
	}
	if slices.ContainsFunc(config.Drift, func(s repoconfig.DriftSchedule) bool { return s.Window != nil }) {
		return now.Truncate(often).Add(often)
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(r.Repository.String()))
	return now.Truncate(seldom).Add(seldom + time.Duration(h.Sum32()%10)*time.Minute)
}
