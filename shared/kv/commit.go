package kv

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/kv/overlay"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Commit marks the drafts of all targets as committed at the same time: a reader
// sees all of them or none. It first chooses the rows and then publishes them with
// one write of the heads. If a row is rewritten in between, it stays as its writer
// left it.
//
// Commit returns the key and idx of each row that it changed. It leaves out rows
// that are already committed, that are missing, or that the caller may not write.
//
// Commit refuses more than MaxCommitKeys keys, more than MaxCommitRows rows that
// are named by their idx, keys that have more rows than one request reads (Budget),
// and more scattered rows than the overlay of a key can name.
func (s *Store) Commit(ctx context.Context, by Caller, targets []Target) ([]Position, error) {
	wanted, err := s.group(targets)
	if err != nil {
		return nil, err
	}
	all := s.NewBudget()
	for n := range table.Tries(ctx, tries) {
		budget := s.NewBudget()
		plans, chosen, err := s.chooseAll(ctx, by, wanted, budget)
		if err != nil {
			return nil, err
		}
		done, err := s.publish(ctx, by, plans, n)
		if err != nil || done {
			return chosen, err
		}
		if all.charge(budget); all.Spent() {
			break // another try would take too long
		}
	}
	return nil, table.GaveUp(ctx, errContended)
}

// want is what a commit asks for in one key: all rows, or the rows in idx.
type want struct {
	key string
	all bool
	idx []int
}

// group collects the targets of each key, and sorts them by key in ascending order.
func (s *Store) group(targets []Target) ([]want, error) {
	byKey := map[string]*want{}
	for _, t := range targets {
		if err := checkRow(t.Key, t.Idx); err != nil {
			return nil, err
		}
		w := byKey[t.Key]
		if w == nil {
			w = &want{key: t.Key}
			byKey[t.Key] = w
		}
		if t.Idx == nil {
			w.all = true
		} else {
			w.idx = append(w.idx, *t.Idx)
		}
	}
	if len(byKey) > MaxCommitKeys {
		return nil, fault.Invalidf("TOO_MANY_KEYS",
			"the request names %d keys; at most %d can be committed together", len(byKey), MaxCommitKeys)
	}
	list, rows := make([]want, 0, len(byKey)), 0
	for _, w := range byKey {
		slices.Sort(w.idx)
		w.idx = slices.Compact(w.idx)
		if !w.all {
			rows += len(w.idx)
		}
		list = append(list, *w)
	}
	if rows > s.limits.commitRows {
		return nil, tooMany("the request names %d records by their idx; at most %d can be committed together: send several requests", rows, s.limits.commitRows)
	}
	slices.SortFunc(list, func(a, b want) int { return cmp.Compare(a.key, b.key) })
	return list, nil
}

// publication is what one head publishes.
type publication struct {
	head    head
	chosen  []Position
	zero    bool // whether idx 0, which lies in the head itself, is among the chosen
	overlay []byte
}

// keyReaders is how many keys of one commit are read at the same time.
const keyReaders = 16

// maxTransaction is the maximum size of the heads of one commit together, in bytes.
// A transaction holds 4 MB (DynamoDB service quotas). headBytes is more than the
// size of a head without its overlay and value, in bytes.
const (
	maxTransaction = 3_500_000
	headBytes      = MaxKeyBytes + 8<<10
)

// chooseAll chooses rows for every key. It returns the publications that have
// something to publish, and the rows of all of them.
func (s *Store) chooseAll(ctx context.Context, by Caller, wanted []want, budget *Budget) ([]publication, []Position, error) {
	plans := make([]publication, len(wanted))
	readers, rctx := errgroup.WithContext(ctx)
	readers.SetLimit(keyReaders)
	for i, w := range wanted {
		readers.Go(func() (err error) {
			plans[i], err = s.choose(rctx, by, w, budget)
			return err
		})
	}
	if err := readers.Wait(); err != nil {
		return nil, nil, err
	}
	var chosen []Position
	bytes := 0
	plans = slices.DeleteFunc(plans, func(p publication) bool { return len(p.chosen) == 0 })
	for _, p := range plans {
		chosen = append(chosen, p.chosen...)
		bytes += headBytes + len(p.overlay) + len(p.head.overlay) + len(p.head.inline)
	}
	if bytes > maxTransaction {
		return nil, nil, fault.Invalidf("TOO_SCATTERED",
			"the drafts of these %d keys are too scattered to be committed together: commit fewer keys at a time", len(plans))
	}
	return plans, chosen, nil
}

// choose reads the wanted rows and picks the drafts that the caller may write.
func (s *Store) choose(ctx context.Context, by Caller, w want, budget *Budget) (publication, error) {
	h, ok, err := s.getHead(ctx, by.Installation, w.key)
	if err != nil || !ok {
		return publication{}, err
	}
	p := publication{head: h}
	old, err := overlay.Decode(h.overlay)
	if err != nil {
		return p, err
	}
	// A mark of the old overlay stays, unless its row was read. For a row that was
	// read, only the present revision matters, because revisions never come back.
	read := map[int]bool{}
	var marks []overlay.Mark
	pick := func(idx int, c cell) {
		read[idx] = true
		switch {
		case !c.exists():
			return
		case idx != 0 && old.Has(idx, *c.revision):
			marks = append(marks, overlay.Mark{Idx: idx, Rev: *c.revision})
			return
		case c.committed || !allowed(c.writeCaps, by.Capabilities):
			return
		}
		p.chosen = append(p.chosen, Position{w.key, idx})
		if idx == 0 {
			p.zero = true
			return
		}
		marks = append(marks, overlay.Mark{Idx: idx, Rev: *c.revision})
	}
	if err := s.candidates(ctx, by.Installation, h, w, budget, pick); err != nil {
		return p, err
	}
	for _, m := range old.Marks() {
		if !read[m.Idx] {
			marks = append(marks, m)
		}
	}
	p.overlay = overlay.New(marks).Encode()
	if len(p.overlay) > overlay.MaxBytes && len(p.chosen) > 0 {
		return p, fault.Invalidf("TOO_SCATTERED",
			"the drafts of key %q are too scattered to be committed together: write them with contiguous idx, or as committed", w.key)
	}
	return p, nil
}

// candidates calls pick for the wanted cells. The budget limits only the reading of
// whole keys. The number of rows that are named by their idx was limited before.
func (s *Store) candidates(ctx context.Context, ns vcs.Installation, h head, w want, budget *Budget, pick func(int, cell)) error {
	if w.all {
		end, err := s.read(ctx, ns, h, extent{from: MinIdx, budget: budget}, func(idx int, c cell, _ bool) bool {
			pick(idx, c)
			return true
		})
		if err == nil && end != nil {
			err = budget.exceeded("the keys that the request names without idx have",
				fmt.Sprintf("name the records by their idx instead, at most %d in a request, or fewer keys", s.limits.commitRows))
		}
		return err
	}
	var rows []int
	for _, idx := range w.idx {
		switch {
		case idx == 0:
			pick(0, h.cell)
		case h.more:
			rows = append(rows, idx)
		}
	}
	return s.batchRows(ctx, ns, h.generation, rows, budget, pick)
}
