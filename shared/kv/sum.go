package kv

import (
	"context"
	"fmt"

	"github.com/opsplane/opsplane/shared/api/fault"
)

// Count returns the number of visible rows of a key and the largest idx of them. It
// fails with fault.ErrNotFound if there are none. It reads every row of the key,
// and refuses a key with more rows than a request reads (Budget).
func (s *Store) Count(ctx context.Context, by Caller, key string, drafts bool) (count, maxIdx int, err error) {
	err = s.visible(ctx, by, key, drafts, func(idx int, _ cell) {
		count++
		maxIdx = idx
	})
	if err == nil && count == 0 {
		err = fault.ErrNotFound
	}
	return count, maxIdx, err
}

// Size returns the sum of the sizes of the visible rows of a key, or the size of
// one row if the target has an idx. It fails with fault.ErrNotFound if there are
// none. Without idx it reads every row of the key, as Count does.
func (s *Store) Size(ctx context.Context, by Caller, target Target, drafts bool) (int, error) {
	if target.Idx != nil {
		rec, err := s.Get(ctx, by, Position{target.Key, *target.Idx}, drafts, false)
		return rec.Size, err
	}
	size, count := 0, 0
	err := s.visible(ctx, by, target.Key, drafts, func(_ int, c cell) {
		count++
		size += c.size
	})
	if err == nil && count == 0 {
		err = fault.ErrNotFound
	}
	return size, err
}

// visible calls do for every visible row of a key in ascending order of idx.
func (s *Store) visible(ctx context.Context, by Caller, key string, drafts bool, do func(int, cell)) error {
	if err := checkKey(key); err != nil {
		return err
	}
	h, ok, err := s.getHead(ctx, by.Installation, key)
	if err != nil || !ok {
		return err
	}
	budget := s.NewBudget()
	end, err := s.read(ctx, by.Installation, h, extent{from: MinIdx, budget: budget}, func(idx int, c cell, committed bool) bool {
		if c.seen(by.Capabilities, committed, drafts) {
			do(idx, c)
		}
		return true
	})
	if err == nil && end != nil {
		err = budget.exceeded(fmt.Sprintf("key %q has", key), fmt.Sprintf("iterate over the key with idx=%d and include_data=false, and add up what the pages list", MinIdx))
	}
	return err
}
