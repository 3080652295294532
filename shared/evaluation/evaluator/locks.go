package evaluator

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Holder is a pull request that holds locks.
type Holder struct {
	PullRequest vcs.PullRequest
	About
	// Branch is the destination branch.
	Branch string
	Reason rules.LockReason
	// Since is when the apply was decided by which it may hold them, or when the merge was
	// evaluated.
	Since time.Time
	// Count is the number of dirspaces that it locks. Set are the first of them.
	Count int
	Set   []rules.Holding
	// Text says why it holds them, and WayOut how they become free. Command is what to write
	// in a comment of the pull request so that it gives them up.
	Text, WayOut, Command string
}

// candidatesAtOnce bounds the pull requests whose results are read at one time.
const candidatesAtOnce = 8

// Locks returns the pull requests of an installation that hold locks now, in the order of
// lane.Store.Entries. It looks at q.Limit pull requests that may hold some, and asks no host.
// on is the last of these if there may be more, and nil otherwise.
func (e *Evaluator) Locks(ctx context.Context, of vcs.Installation, q lane.Query) (list []Holder, on *vcs.PullRequest, err error) {
	rows, on, err := e.entries(ctx, lane.Locks, of, q)
	if err != nil {
		return nil, nil, err
	}
	found := make([]Holder, len(rows))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(candidatesAtOnce)
	for i, row := range rows {
		g.Go(func() error {
			var err error
			found[i], err = e.holds(ctx, row)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	return slices.DeleteFunc(found, func(h Holder) bool { return h.Reason == "" }), on, nil
}

// entries reads a page of a list. on is the last entry of the page if there are more.
func (e *Evaluator) entries(ctx context.Context, l lane.List, of vcs.Installation, q lane.Query) (rows []lane.Entry, on *vcs.PullRequest, err error) {
	most := q.Limit
	q.Limit++
	if rows, err = e.Lanes.Entries(ctx, l, of, q); err != nil || len(rows) <= most {
		return rows, nil, err
	}
	return rows[:most], &rows[most-1].PullRequest, nil
}

// holds returns what a pull request locks. The Reason is empty if it locks nothing.
func (e *Evaluator) holds(ctx context.Context, row lane.Entry) (Holder, error) {
	o, err := decodeOwner(row)
	if err != nil {
		return Holder{}, err
	}
	h := e.historian(row.PullRequest.Repository)
	if o.Subject.Unlocked, err = h.unlocked(ctx, o.Subject.Origin); err != nil {
		return Holder{}, err
	}
	found := history{results: rules.Histories{}}
	if err := h.holder(ctx, &found, o); err != nil {
		return Holder{}, err
	}
	slices.SortFunc(o.Set, func(a, b rules.Holding) int { return run.Dirspace.Compare(a.Dirspace, b.Dirspace) })
	made := Holder{
		PullRequest: row.PullRequest, About: o.About, Branch: o.Subject.Base.Branch, Since: o.Since,
		Reason: (rules.Owner{Subject: o.Subject, Set: o.Set}).Locks(found.results), Count: len(o.Set), Set: o.Set[:min(len(o.Set), maxListed)],
		Command: defaultTrigger + " unlock",
	}
	made.Text, made.WayOut = lockText(made.Reason, fmt.Sprintf("pull request %s%d", sign(row.PullRequest.Repository), row.PullRequest.Number))
	return made, nil
}
