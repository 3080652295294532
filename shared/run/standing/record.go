package standing

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// parallel is how many writes Record makes at the same time.
const parallel = 16

// Record records what a run did, unless newer results are known. The run is a plan or
// an apply that has ended, with its dirspaces. outputs are those of an apply, for each
// dirspace that replaces the outputs of an earlier apply. ends is when the run expires.
//
// A dirspace of a completed run without a result is left out: the runner did nothing
// in it. It is safe to repeat, and a repetition completes what was interrupted. It
// makes at most three writes for each dirspace, and two more if results arrive in
// another order than that of their runs.
func (s Store) Record(ctx context.Context, r run.Run, outputs map[run.Dirspace]Outputs, ends time.Time) error {
	if err := s.name(ctx, r, ends); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, d := range r.Dirspaces {
		one := resultOf(r, i)
		if r.Result != nil && !one.Outcome.Has(run.HasResult) {
			continue
		}
		group.Go(func() error {
			if list, ok := outputs[d]; ok {
				if err := s.putOutputs(ctx, Place{r.Repository.ID, d}, r, list, ends); err != nil {
					return err
				}
			}
			return s.put(ctx, r, d, one, ends)
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("record what stands where: %w", err)
	}
	return nil
}

func resultOf(r run.Run, position int) Result {
	one := Result{
		Run: r.ID, Seq: r.Seq, Owner: r.Owner, Name: r.Name, Kind: run.Kind{Name: r.Kind.Name, Number: r.Kind.Number},
		Base: r.Base, Source: r.Source, Aborted: r.State == run.Aborted, EndedAt: r.EndedAt,
	}
	if r.Result != nil {
		one.Outcome = r.Result.Outcomes[position]
	}
	return one
}

// put writes the result of a dirspace into its row, and into that of its pull request.
func (s Store) put(ctx context.Context, r run.Run, d run.Dirspace, one Result, ends time.Time) error {
	var parts []part
	switch {
	case r.Type.IsApply():
		parts = []part{partApply}
	case r.Kind.Name == run.Drift && one.Succeeded():
		parts = []part{partDrift}
	case r.Kind.Name == run.Drift:
		return nil
	case one.Succeeded():
		parts = []part{partPlan, partGood}
	default:
		parts = []part{partPlan}
	}
	if r.Kind.Name == run.PullRequest {
		// It goes first, because a removal finds it by the row.
		key := keyIn(pullsOf(r.Repository), ofPull(r.Kind.Number)+d.Dir+tab+d.Workspace)
		if err := s.update(ctx, key, parts, one, ends); err != nil {
			return err
		}
	}
	return s.update(ctx, keyIn(rowsOf(r.Repository.Installation), Place{r.Repository.ID, d}.sort()), parts, one, ends)
}

// update writes a result as several parts of an item. Each part is written unless it
// has a newer result. Usually none or all have one, and then it is one write.
func (s Store) update(ctx context.Context, key attr.Item, parts []part, one Result, ends time.Time) error {
	text, err := one.encode()
	if err != nil {
		return err
	}
	edit := table.Change(key).Set(attrTTL, attr.Time(ends))
	for _, p := range parts {
		edit.Set(p.seq(), attr.Int(one.Seq)).Set(string(p), text).If(table.AbsentOr(p.seq(), table.Less(p.seq(), attr.Int(one.Seq))))
	}
	err = s.Table.Update(ctx, edit)
	if _, known := table.ConditionFailed(err); !known {
		return err
	}
	if len(parts) == 1 {
		return nil
	}
	for _, p := range parts {
		if err := s.update(ctx, key, []part{p}, one, ends); err != nil {
			return err
		}
	}
	return nil
}

// name records that the repository has rows, under the name that it had. It comes
// before them, and lives as long: lists by name find the rows by it.
func (s Store) name(ctx context.Context, r run.Run, ends time.Time) error {
	key := keyIn(namesOf(r.Repository.Installation), r.Name+tab+string(r.Repository.ID))
	err := s.Table.Update(ctx, table.Change(key).Set(attrTTL, attr.Time(ends)).If(table.AbsentOr(attrTTL, table.Less(attrTTL, attr.Time(ends)))))
	if _, known := table.ConditionFailed(err); known {
		return nil
	}
	if err != nil {
		return fmt.Errorf("record name of a repository: %w", err)
	}
	return nil
}
