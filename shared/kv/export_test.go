package kv

import "github.com/opsplane/opsplane/shared/vcs"

// Known lets the store take the namespace as registered, as one does that has
// been in use: tests that count or break calls are about the calls behind.
func (s *Store) Known(ns vcs.Installation) { s.registered.Store(ns, struct{}{}) }

// BudgetOf is a budget of so many reads, for pages that end early.
func BudgetOf(reads int) *Budget { return &Budget{limits: limits{reads: reads, units: MaxReadUnits}} }

// Restrict gives the store lower limits, as rows enough for the standard ones take
// minutes to write: so many MiB that a request reads, rows that a commit names,
// rows that a delete removes one by one, and write units that it uses for them.
func (s *Store) Restrict(mib, commitRows, removals, removalUnits int) {
	s.limits = limits{MaxReads, mib << 20 / unitBytes, commitRows, removals, removalUnits}
}
