// Package kvmodel says what the key-value store does, in code so short that a
// reader can check it: plain maps, one caller at a time, no storage. Its methods
// are those of kv.Store. Tests make the same calls to both and compare the results.
// The invariant: kvmodel knows nothing about how the store works. The quoted
// sentences are the rules that it implements.
package kvmodel

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Model is a store. The zero Model is empty. It is not safe for concurrent use.
type Model struct {
	// rows implements: "A record is identified by namespace, key and idx. Exactly
	// one row exists per identity; there are no hidden older versions."
	rows map[vcs.Installation]map[kv.Position]kv.Record
}

// ErrVersionLimit refuses the overwrite of a row that is at the last version.
var ErrVersionLimit = &fault.Error{Kind: fault.Invalid, ID: "VERSION_LIMIT"}

// sorted returns all rows of a namespace. "Results ordered by key (in bytes), then
// idx."
func (m *Model) sorted(ns vcs.Installation) []kv.Record {
	var all []kv.Record
	for _, r := range m.rows[ns] {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b kv.Record) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), cmp.Compare(a.Idx, b.Idx))
	})
	return all
}

// allowed reports whether the caller has every capability of the row's list. "A row
// is readable if read_caps is absent or is a subset of the caller's capabilities,
// writable likewise for write_caps."
func allowed(row *access.Set, caller access.Set) bool {
	return row == nil || caller.HasAll(*row)
}

// visible reports whether the caller sees the row. "Only committed rows are seen;
// committed=false means both." A row that is not readable counts "as if absent".
func visible(r kv.Record, caller access.Set, drafts bool) bool {
	return (r.Committed || drafts) && allowed(r.ReadCaps, caller)
}

// Get returns one visible row, or fails with ErrNotFound.
func (m *Model) Get(_ context.Context, by kv.Caller, at kv.Position, drafts, withData bool) (kv.Record, error) {
	r, ok := m.rows[by.Installation][at]
	if !ok || !visible(r, by.Capabilities, drafts) {
		return kv.Record{}, fault.ErrNotFound
	}
	if !withData {
		r.Data = nil
	}
	return r, nil
}

// Set stores a row. "Upsert. Overwrites whatever is there, including an uncommitted
// row." It refuses a row that is not writable with ErrForbidden.
func (m *Model) Set(_ context.Context, by kv.Caller, w kv.Write) (kv.Record, error) {
	r, ok := m.rows[by.Installation][kv.Position{Key: w.Key, Idx: w.Idx}]
	if ok && !allowed(r.WriteCaps, by.Capabilities) {
		return kv.Record{}, fault.ErrForbidden
	}
	return m.put(by, w)
}

// CompareAndSet stores a row on a condition. "Without version: insert only; fails
// if a row exists in any form (uncommitted, unreadable). With version: update only;
// the row must exist with exactly that version and be writable."
func (m *Model) CompareAndSet(_ context.Context, by kv.Caller, w kv.Write, version *int) (kv.Record, error) {
	r, ok := m.rows[by.Installation][kv.Position{Key: w.Key, Idx: w.Idx}]
	if version == nil && ok || version != nil && (!ok || r.Version != *version || !allowed(r.WriteCaps, by.Capabilities)) {
		return kv.Record{}, fault.ErrUnmet
	}
	return m.put(by, w)
}

// put stores a row and returns it without data. Its version "starts at 0 on insert,
// +1 on every successful overwrite"; created_at is the "time of the last set or
// cas". A write "replaces both lists" of capabilities.
func (m *Model) put(by kv.Caller, w kv.Write) (kv.Record, error) {
	at := kv.Position{Key: w.Key, Idx: w.Idx}
	version := 0
	if old, ok := m.rows[by.Installation][at]; ok {
		version = old.Version + 1
	}
	if version > kv.MaxVersion {
		return kv.Record{}, ErrVersionLimit
	}
	if m.rows == nil {
		m.rows = map[vcs.Installation]map[kv.Position]kv.Record{}
	}
	if m.rows[by.Installation] == nil {
		m.rows[by.Installation] = map[kv.Position]kv.Record{}
	}
	r := kv.Record{
		Key: w.Key, Idx: w.Idx, Data: w.Value.Text, Size: w.Value.Size, Version: version, Committed: w.Committed,
		ReadCaps: w.ReadCaps, WriteCaps: w.WriteCaps, CreatedAt: by.Author.At,
	}
	m.rows[by.Installation][at] = r
	r.Data = nil
	return r, nil
}

// Delete deletes rows. "Without idx: deletes all idx of the key. With version: only
// rows at that version. Result is true if at least one row went." A row that is not
// writable stays.
func (m *Model) Delete(_ context.Context, by kv.Caller, target kv.Target, version *int) (bool, error) {
	gone := false
	for at, r := range m.rows[by.Installation] {
		if at.Key == target.Key && (target.Idx == nil || at.Idx == *target.Idx) && (version == nil || r.Version == *version) && allowed(r.WriteCaps, by.Capabilities) {
			delete(m.rows[by.Installation], at)
			gone = true
		}
	}
	return gone, nil
}

// Count counts the visible rows: "the rows of exactly this key, and the largest
// visible idx. No visible row: 404."
func (m *Model) Count(_ context.Context, by kv.Caller, key string, drafts bool) (count, maxIdx int, err error) {
	for _, r := range m.sorted(by.Installation) {
		if r.Key == key && visible(r, by.Capabilities, drafts) {
			count++
			maxIdx = r.Idx
		}
	}
	if count == 0 {
		return 0, 0, fault.ErrNotFound
	}
	return count, maxIdx, nil
}

// Size returns "the sum of size over the visible rows of exactly this key, or of
// one idx. No visible row: 404."
func (m *Model) Size(_ context.Context, by kv.Caller, target kv.Target, drafts bool) (int, error) {
	size, found := 0, false
	for _, r := range m.rows[by.Installation] {
		if r.Key == target.Key && (target.Idx == nil || r.Idx == *target.Idx) && visible(r, by.Capabilities, drafts) {
			size += r.Size
			found = true
		}
	}
	if !found {
		return 0, fault.ErrNotFound
	}
	return size, nil
}

// inRange reports whether a row is in the range. K is the start key and I the given
// idx:
//
//	inclusive  idx     rows
//	true       absent  key ≥ K, every idx
//	true       I       only key = K with idx ≥ I
//	false      absent  key > K
//	false      I       key = K with idx > I, and all keys > K
//
// "With prefix=true, additionally the key must start with K."
func inRange(r kv.Record, q kv.Range) bool {
	if q.Prefix && !strings.HasPrefix(r.Key, q.Key) {
		return false
	}
	if q.After != nil && (r.Key < q.After.Key || r.Key == q.After.Key && r.Idx <= q.After.Idx) {
		return false
	}
	switch {
	case q.Inclusive && q.Idx == nil:
		return r.Key >= q.Key
	case q.Inclusive:
		return r.Key == q.Key && r.Idx >= *q.Idx
	case q.Idx == nil:
		return r.Key > q.Key
	}
	return r.Key == q.Key && r.Idx > *q.Idx || r.Key > q.Key
}

// Iterate returns the visible rows of the range up to its limit, and the position
// at which the next page begins if there are more.
func (m *Model) Iterate(_ context.Context, by kv.Caller, q kv.Range) (page []kv.Record, next *kv.Position, err error) {
	for _, r := range m.sorted(by.Installation) {
		if !inRange(r, q) || !visible(r, by.Capabilities, q.Drafts) || q.Limit == 0 {
			continue
		}
		if len(page) == q.Limit {
			last := page[len(page)-1]
			return page, &kv.Position{Key: last.Key, Idx: last.Idx}, nil
		}
		if !q.WithData {
			r.Data = nil
		}
		page = append(page, r)
	}
	return page, nil, nil
}

// Commit publishes drafts. "An entry without idx covers all idx of the key. The
// reply lists only rows that changed: already committed, missing or unwritable rows
// are left out. Each row at most once." Neither version nor created_at changes.
func (m *Model) Commit(_ context.Context, by kv.Caller, targets []kv.Target) ([]kv.Position, error) {
	var changed []kv.Position
	for _, r := range m.sorted(by.Installation) {
		named := slices.ContainsFunc(targets, func(t kv.Target) bool {
			return t.Key == r.Key && (t.Idx == nil || *t.Idx == r.Idx)
		})
		if !named || r.Committed || !allowed(r.WriteCaps, by.Capabilities) {
			continue
		}
		at := kv.Position{Key: r.Key, Idx: r.Idx}
		r.Committed = true
		m.rows[by.Installation][at] = r
		changed = append(changed, at)
	}
	return changed, nil
}
