package evaluator

import (
	"context"
	"fmt"
	"slices"

	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/vcs"
)

// history is what earlier runs and merges say, in the form that the rules take.
type history struct {
	subject rules.Subject
	results rules.Histories
	merges  rules.Repository
	owners  []rules.Owner
	// active are the runs that are queued or running, without those that an unlock has
	// made void.
	active []rules.Active
	// rows are what stands of the pull request, by dirspace.
	rows map[run.Dirspace]standing.Row
}

// historian reads the history of a repository. It reads each thing once.
type historian struct {
	*Evaluator
	of vcs.Repository

	rows     []runstore.Active // nil until they are read
	read     bool
	unlocks  map[run.Origin]int64
	kept     map[run.ID]map[run.Dirspace]bool
	owners   []owner                   // nil until they are read
	newest   map[string]runstore.Merge // by branch
	finished map[run.ID]run.Run
}

func (e *Evaluator) historian(of vcs.Repository) *historian {
	return &historian{Evaluator: e, of: of, unlocks: map[run.Origin]int64{}, kept: map[run.ID]map[run.Dirspace]bool{}, finished: map[run.ID]run.Run{}, newest: map[string]runstore.Merge{}}
}

// unlocked returns the place of the last unlock of an origin.
func (h *historian) unlocked(ctx context.Context, origin run.Origin) (int64, error) {
	if seq, known := h.unlocks[origin]; known {
		return seq, nil
	}
	u, err := h.Runs.Unlocked(ctx, h.of, origin)
	if err != nil {
		return 0, err
	}
	h.unlocks[origin] = u.Seq
	return u.Seq, nil
}

// merge reads the newest merge into a branch, once.
func (h *historian) merge(ctx context.Context, branch string) (runstore.Merge, error) {
	if m, known := h.newest[branch]; known {
		return m, nil
	}
	m, err := h.Runs.NewestMerge(ctx, h.of, branch)
	if err == nil {
		h.newest[branch] = m
	}
	return m, err
}

// actives reads the active runs of the repository with their dirspaces, once.
func (h *historian) actives(ctx context.Context) ([]runstore.Active, error) {
	if h.read {
		return h.rows, nil
	}
	rows, err := h.Runs.Active(ctx, h.of)
	if err != nil {
		return nil, err
	}
	for i, a := range rows {
		if len(a.Dirspaces) != a.DirspaceCount {
			if rows[i].Dirspaces, err = h.Runs.Dirspaces(ctx, a.ID); err != nil {
				return nil, err
			}
		}
	}
	h.rows, h.read = rows, true
	return rows, nil
}

// begin reads the history of a subject itself, and what is under way in the repository.
// number is 0 for drift.
func (h *historian) begin(ctx context.Context, s rules.Subject, number int64) (history, error) {
	var err error
	if s.Unlocked, err = h.unlocked(ctx, s.Origin); err != nil {
		return history{}, err
	}
	found := history{subject: s, results: rules.Histories{}, merges: rules.Repository{Merges: map[run.Origin]int64{}}, rows: map[run.Dirspace]standing.Row{}}
	active, err := h.actives(ctx) // before what is recorded, so that nothing is missed between the two
	if err != nil {
		return history{}, err
	}
	newest, err := h.merge(ctx, s.Base.Branch)
	if err != nil {
		return history{}, err
	}
	found.merges.NewestMerge = newest.Commit
	if newest.Number > 0 { // also if it did not touch the directories of the subject
		found.merges.Merges[run.OriginOfPullRequest(newest.Number)] = newest.Seq
	}
	if s.State == rules.Merged {
		found.merges.Merges[s.Origin] = s.MergedAt
	}
	if err := h.own(ctx, &found, number); err != nil {
		return history{}, err
	}
	return found, h.running(ctx, &found, active)
}

// complete adds what others did to the dirspaces that are wanted, which are in their
// order, and the pull requests that may lock them.
func (h *historian) complete(ctx context.Context, found *history, wanted []run.Dirspace) error {
	if err := h.others(ctx, found, wanted); err != nil {
		return err
	}
	return h.locks(ctx, found, wanted)
}

// own adds the results of the pull request itself.
func (h *historian) own(ctx context.Context, found *history, number int64) error {
	if number == 0 {
		return nil
	}
	rows, err := h.Standing.OfPullRequest(ctx, h.of, number)
	if err != nil {
		return err
	}
	for _, row := range rows {
		found.rows[row.Dirspace] = row
		for _, one := range newest(row) {
			r, err := h.resultOf(ctx, one.result, row.Dirspace, one.apply)
			if err != nil {
				return err
			}
			found.add(row.Dirspace, found.placed(r, one.result))
		}
	}
	return nil
}

// typed is a result with its type.
type typed struct {
	result *standing.Result
	apply  bool
}

// newest returns the newest plan and the newest apply of a row, as far as there are any.
func newest(row standing.Row) []typed {
	return slices.DeleteFunc([]typed{{row.Plan, false}, {row.Apply, true}}, func(one typed) bool { return one.result == nil })
}

// placed returns a result of the subject with the commits by which the rules compare it.
// Runs of a merged pull request work on the destination branch, with one commit as base
// and as head (run.Spec.AcceptsCommit). They count as based on what the host records.
func (h *history) placed(r rules.Result, of *standing.Result) rules.Result {
	if h.subject.State == rules.Merged && of.Source.Branch == h.subject.Base.Branch {
		r.Base = h.subject.Base.Commit
	}
	return r
}

// others adds what other pull requests and drift did to dirspaces: their newest apply, and
// the newest merge of a pull request that had planned them.
func (h *historian) others(ctx context.Context, found *history, wanted []run.Dirspace) error {
	rows, err := h.Standing.Of(ctx, h.of, wanted)
	if err != nil {
		return err
	}
	for d, row := range rows {
		known := []typed{{row.Apply, true}}
		if found.subject.Origin == run.OriginOfDrift {
			known = append(known, typed{row.Drift, false})
		}
		for _, one := range known {
			if one.result == nil || originOf(one.result) == found.subject.Origin && found.subject.Origin != run.OriginOfDrift {
				continue // its own results were read
			}
			r, err := h.resultOf(ctx, one.result, d, one.apply)
			if err != nil {
				return err
			}
			found.add(d, r)
		}
	}
	merged, err := h.Lanes.Merged(ctx, h.of, wanted)
	if err != nil {
		return err
	}
	own, _ := found.subject.Origin.PullRequest()
	for d, m := range merged {
		number, place := m.Other(own)
		if number == 0 {
			continue
		}
		origin := run.OriginOfPullRequest(number)
		found.merges.Merges[origin] = max(found.merges.Merges[origin], place)
		found.add(d, rules.Result{Order: place, Origin: origin, Merge: true})
	}
	return nil
}

// running adds the runs that are not over, and those that have just ended.
func (h *historian) running(ctx context.Context, found *history, rows []runstore.Active) error {
	for _, a := range rows {
		if a.State.Active() {
			void, err := h.unlocked(ctx, a.Origin)
			if err != nil {
				return err
			}
			if a.Seq > void {
				found.active = append(found.active, rules.Active{
					Run: a.ID, Origin: a.Origin, Type: a.Type, CreatedAt: a.CreatedAt, Began: a.State == run.Running, Dirspaces: a.Dirspaces,
				})
			}
			continue
		}
		if err := h.ended(ctx, found, a); err != nil {
			return err
		}
	}
	return nil
}

// ended adds the results of a run that has ended and is not recorded yet.
func (h *historian) ended(ctx context.Context, found *history, a runstore.Active) error {
	r, known := h.finished[a.ID]
	if !known {
		var err error
		if r, err = h.Runs.Get(ctx, a.ID); err != nil {
			return harmless(err)
		}
		h.finished[a.ID] = r
	}
	if r.State == run.Aborted && r.StartedAt.IsZero() {
		return nil // its runner has done nothing, and it is never recorded
	}
	if !r.Type.IsApply() && (r.Origin() != found.subject.Origin || r.State != run.Completed) {
		return nil
	}
	for i, d := range r.Dirspaces {
		one := standing.Result{Run: r.ID, Seq: r.Seq, Kind: r.Kind, Base: r.Base, Source: r.Source, Aborted: r.State == run.Aborted}
		if r.Result != nil {
			if one.Outcome = r.Result.Outcomes[i]; !one.Outcome.Has(run.HasResult) {
				continue
			}
		}
		made, err := h.resultOf(ctx, &one, d, r.Type.IsApply())
		if err != nil {
			return err
		}
		if made.Origin == found.subject.Origin {
			made = found.placed(made, &one)
		}
		found.add(d, made)
	}
	return nil
}

// locks adds the pull requests that may lock wanted dirspaces, with the results by which
// they do.
func (h *historian) locks(ctx context.Context, found *history, wanted []run.Dirspace) error {
	list, err := h.holders(ctx)
	if err != nil {
		return err
	}
	for _, o := range list {
		if o.Subject.Origin == found.subject.Origin || !meets(o.Set, wanted) {
			continue
		}
		if o.Subject.Unlocked, err = h.unlocked(ctx, o.Subject.Origin); err != nil {
			return err
		}
		if err := h.holder(ctx, found, o); err != nil {
			return err
		}
		found.owners = append(found.owners, rules.Owner{Subject: o.Subject, Set: o.Set})
	}
	return nil
}

// holders reads the pull requests that may hold locks in the repository, once.
func (h *historian) holders(ctx context.Context) ([]owner, error) {
	if h.owners != nil {
		return h.owners, nil
	}
	list, err := h.Lanes.EntriesOf(ctx, lane.Locks, h.of)
	if err != nil {
		return nil, err
	}
	h.owners = make([]owner, len(list))
	for i, stored := range list {
		if h.owners[i], err = decodeOwner(stored); err != nil {
			return nil, err
		}
	}
	return h.owners, nil
}

// held returns what a pull request may lock as it was stored last.
func (h *historian) held(origin run.Origin) owner {
	for _, o := range h.owners {
		if o.Subject.Origin == origin {
			return o
		}
	}
	return owner{}
}

// holder adds the results of a pull request that may hold locks.
func (h *historian) holder(ctx context.Context, found *history, o owner) error {
	number, _ := o.Subject.Origin.PullRequest()
	rows, err := h.Standing.OfPullRequest(ctx, h.of, number)
	if err != nil {
		return err
	}
	for _, row := range rows {
		for _, one := range newest(row) {
			found.add(row.Dirspace, convert(one.result, one.apply))
		}
	}
	return nil
}

func meets(set []rules.Holding, wanted []run.Dirspace) bool {
	return slices.ContainsFunc(set, func(d rules.Holding) bool {
		_, is := slices.BinarySearchFunc(wanted, d.Dirspace, run.Dirspace.Compare)
		return is
	})
}

// add adds a result, unless it is there.
func (h *history) add(d run.Dirspace, r rules.Result) {
	same := func(other rules.Result) bool {
		return other.Run == r.Run && other.Order == r.Order && other.Apply == r.Apply
	}
	if !slices.ContainsFunc(h.results[d], same) {
		h.results[d] = append(h.results[d], r)
	}
}

// resultOf returns a result with the answer whether its plan is still stored.
func (h *historian) resultOf(ctx context.Context, r *standing.Result, d run.Dirspace, apply bool) (rules.Result, error) {
	made := convert(r, apply)
	if apply || !r.Outcome.Has(run.PlanStored) {
		return made, nil
	}
	kept := h.kept[r.Run]
	if kept == nil {
		plans, err := h.Plans.Of(ctx, r.Run, h.Now())
		if err != nil {
			return made, fmt.Errorf("read plans of a run: %w", err)
		}
		kept = make(map[run.Dirspace]bool, len(plans))
		for _, p := range plans {
			kept[p.Dirspace] = true
		}
		h.kept[r.Run] = kept
	}
	made.PlanKept = kept[d]
	return made, nil
}

// convert returns a result in the form of the rules. A plan whose runner stored none may
// have changes: nothing shows that it has none.
func convert(r *standing.Result, apply bool) rules.Result {
	return rules.Result{
		Run: r.Run, Order: r.Seq, Origin: originOf(r), Apply: apply, Base: r.Base.Commit, Head: r.Source.Commit,
		Success: r.Succeeded() && !r.Aborted, HasChanges: !r.Outcome.Has(run.PlanStored) || r.Outcome.Has(run.HasChanges),
	}
}

func originOf(r *standing.Result) run.Origin {
	return run.Spec{Kind: r.Kind, Source: r.Source}.Origin()
}
