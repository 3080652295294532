package lane

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Attributes of a lease, besides its holder. The item also has the installation that
// names the lane among its own. It outlives the lease.
const (
	attrUntil = "until" // Unix milliseconds: when the lease is over
	attrRest  = "rest"  // Unix milliseconds: nobody takes the lease before
	attrSeq   = "seq"   // the number of the newest decision
)

// Held is a lane that its caller has the lease of. It is not safe for concurrent use.
type Held struct {
	store      Store
	repository vcs.Repository
	holder     string
	seq        int64
	seen       map[string]bool // the revs of requests that were read
}

// Enter takes the lease of a lane. It reports false if another worker has it, or if the
// lane rests. The holder calls Leave in the end.
func (s Store) Enter(ctx context.Context, r vcs.Repository, now time.Time) (*Held, bool, error) {
	h := &Held{store: s, repository: r, holder: rand.Text(), seen: map[string]bool{}}
	item, err := s.table().UpdateReturning(ctx, table.Change(key(r, sortLease)).
		Set(attrHolder, attr.String(h.holder)).Set(attrUntil, millis(now.Add(Lease))).
		// Longer than any decision that has a number of it.
		Set(attrTTL, attr.Time(now.Add(2*Keep))).
		If(table.AbsentOr(attrUntil, table.AtMost(attrUntil, millis(now))), table.AbsentOr(attrRest, table.AtMost(attrRest, millis(now)))).KeepOld())
	if old, failed := table.ConditionFailed(err); failed {
		if attr.Read(old).String(attrHolder) != h.holder {
			return nil, false, nil
		}
		item, err = old, nil // the request was sent twice
	}
	if err != nil {
		return nil, false, fmt.Errorf("enter lane of %s: %w", r, err)
	}
	read := attr.Read(item)
	h.seq = read.Int(attrSeq)
	if err := read.Err(); err != nil {
		return nil, false, fmt.Errorf("decode lease of %s: %w", r, err)
	}
	if !mine(r, item) {
		if err := h.list(ctx); err != nil {
			return nil, false, err
		}
	}
	return h, true, nil
}

// list names the lane among those of its installation, so that the installation's
// removal finds it.
func (h *Held) list(ctx context.Context) error {
	r := h.repository
	err := h.store.table().Put(ctx, attr.Item{"pk": attr.String(lanesOf(r.Installation)), "sk": attr.String(string(r.ID))})
	if err != nil {
		return fmt.Errorf("list lane of %s: %w", r, err)
	}
	return h.change(ctx, func(e *table.Edit) { e.Set(attrInstallation, attr.String(string(r.Installation.ID))) })
}

// change changes the item of the lease while the caller has it.
func (h *Held) change(ctx context.Context, make func(*table.Edit)) error {
	edit := table.Change(key(h.repository, sortLease)).If(table.Equal(attrHolder, attr.String(h.holder)))
	make(edit)
	err := h.store.table().Update(ctx, edit)
	if _, lost := table.ConditionFailed(err); lost {
		return ErrLost
	}
	if err != nil {
		return fmt.Errorf("change lease of %s: %w", h.repository, err)
	}
	return nil
}

// Repository returns the repository of the lane.
func (h *Held) Repository() vcs.Repository { return h.repository }

// Postpone lets the lane rest until a time, as the host has demanded: nobody enters it
// before. What is in it stays.
func (h *Held) Postpone(ctx context.Context, until time.Time) error {
	return h.change(ctx, func(e *table.Edit) { e.Set(attrRest, millis(until)) })
}

// Leave gives the lease back. It then reports whether the lane has requests that the
// holder has not read. If so, the caller enters again: whoever was woken for them may
// have found the lane taken.
func (h *Held) Leave(ctx context.Context) (again bool, err error) {
	edit := table.Change(key(h.repository, sortLease)).Remove(attrHolder, attrUntil).If(table.Equal(attrHolder, attr.String(h.holder)))
	err = h.store.table().Update(ctx, edit)
	if _, over := table.ConditionFailed(err); err != nil && !over {
		return false, fmt.Errorf("leave lane of %s: %w", h.repository, err)
	}
	list, err := h.store.all(ctx, h.repository, sortRequest, "sk", attrRev, attrInstallation)
	if err != nil {
		return false, err
	}
	for _, item := range list {
		if !h.seen[attr.Read(item).String(attrRev)] {
			return true, nil
		}
	}
	return false, nil
}
