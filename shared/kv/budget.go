package kv

import (
	"math"
	"sync"

	"github.com/opsplane/opsplane/shared/api/fault"
)

// Limits of what one request reads or writes. They make a request end well within
// the 25 seconds of its function's timeout (template.yaml).
const (
	// MaxReads is the maximum number of storage reads of one request. Reads of
	// values in the bucket do not count. A read takes about 10 ms.
	MaxReads = 200
	// MaxReadUnits is the maximum number of read units that these reads use
	// together. They are 64 MiB of items, because a strongly consistent unit is 4
	// KiB. DynamoDB gives 3,000 units a second for one partition ("Burst and
	// adaptive capacity", DynamoDB developer guide). So the reads take about five
	// seconds even without burst capacity.
	MaxReadUnits = 64 << 20 / unitBytes
	// MaxCommitRows is the maximum number of rows that one commit names by their
	// idx. They are read in a hundred reads of a hundred rows. The largest rows in
	// the table take three units each. That is 30,000 units, or ten seconds of one
	// partition.
	MaxCommitRows = 10_000
	// MaxRemovals is the maximum number of rows that one delete removes one by one.
	// It removes 16 rows at the same time. Each row takes one or two writes of
	// about 10 ms.
	MaxRemovals = 5_000
	// MaxRemovalUnits is the maximum number of write units that these removals use
	// together. A removal takes one unit for each KiB that the row had. All rows of
	// a key are in one partition, and DynamoDB gives 1,000 write units a second for
	// a partition. So the removals take fifteen seconds even without burst
	// capacity.
	MaxRemovalUnits = 15_000

	unitBytes = 4 << 10
	// pageUnits is the number of units that a full page of a query uses. A page is
	// at most 1 MB ("Quotas", DynamoDB developer guide).
	pageUnits = 1 << 20 / unitBytes
)

// limits holds the limits of a store. A test sets lower ones.
type limits struct{ reads, units, commitRows, removals, removalUnits int }

var standardLimits = limits{MaxReads, MaxReadUnits, MaxCommitRows, MaxRemovals, MaxRemovalUnits}

// Budget limits what a request reads. It counts the reads and the units that they
// use, whatever the rows contain and whether or not the caller may see them. The
// last read may go beyond the budget, so that every request makes progress. It is
// safe for concurrent use.
type Budget struct {
	limits
	mu   sync.Mutex
	used struct{ reads, units, rows int }
}

// NewBudget returns a new budget for one request.
func (s *Store) NewBudget() *Budget { return &Budget{limits: s.limits} }

// take counts one read that used these units and returned this number of rows. A
// read always uses some units. If the server does not report them, take counts a
// full page.
func (b *Budget) take(used float64, rows int) {
	if b == nil {
		return
	}
	units := pageUnits
	if used > 0 {
		units = int(math.Ceil(used))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used.reads++
	b.used.units += units
	b.used.rows += rows
}

// charge adds everything that another budget has used.
func (b *Budget) charge(other *Budget) {
	other.mu.Lock()
	used := other.used
	other.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used.reads += used.reads
	b.used.units += used.units
	b.used.rows += used.rows
}

// Spent reports whether the budget is used up. A nil budget has no limit.
func (b *Budget) Spent() bool {
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used.reads >= b.reads || b.used.units >= b.units
}

// exceeded returns the error of a request that would have to read more than its
// budget. The argument instead says what to do: a sentence without its full stop.
func (b *Budget) exceeded(what, instead string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return tooMany("%s more than %d records, drafts and the traces of deleted ones included, and a request reads %d MiB of records at most; %s",
		what, b.used.rows, b.units*unitBytes>>20, instead)
}

// tooMany returns an Invalid fault: the request concerns more rows than can be
// handled in its time. The text names the number of rows.
func tooMany(format string, args ...any) error {
	return fault.Invalidf("TOO_MANY_RECORDS", format, args...)
}
