package kv

import "github.com/opsplane/opsplane/shared/vcs"

// Known marks the namespace as registered, as in a store that has been in use.
// Tests that count or break calls use it if they are about the calls after the
// registration.
func (s *Store) Known(ns vcs.Installation) { s.registered.Store(ns, struct{}{}) }

// BudgetOf returns a budget of this number of reads, for pages that end early.
func BudgetOf(reads int) *Budget { return &Budget{limits: limits{reads: reads, units: MaxReadUnits}} }

// Restrict sets lower limits, because writing enough rows for the standard limits
// takes minutes. The limits are the MiB that a request reads, the rows that a
// commit names, the rows that a delete removes one by one, and the write units for
// these removals.
func (s *Store) Restrict(mib, commitRows, removals, removalUnits int) {
	s.limits = limits{MaxReads, mib << 20 / unitBytes, commitRows, removals, removalUnits}
}
