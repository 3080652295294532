package kv

import (
	"math"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/api/fault"
)

// Limits of what one request reads or writes, so that it ends well within the
// 25 seconds that its function has (template.yaml).
const (
	// MaxReads is how many reads of storage one request makes, beside those of
	// values in the bucket. A read takes about 10 ms.
	MaxReads = 200
	// MaxReadUnits is how many read units these use together: 64 MiB of items,
	// as a strongly consistent unit is 4 KiB. DynamoDB gives 3,000 units a
	// second of one partition ("Burst and adaptive capacity", DynamoDB developer
	// guide), so that they take five seconds even where nothing is in reserve.
	MaxReadUnits = 64 << 20 / unitBytes
	// MaxCommitRows is how many rows one commit names by their idx: a hundred
	// reads of a hundred rows. The largest that lie in the table take three units
	// each: 30,000 together, which are ten seconds of one partition.
	MaxCommitRows = 10_000
	// MaxRemovals is how many rows one delete removes one by one: 16 at once, at
	// one to two writes of some 10 ms each.
	MaxRemovals = 5_000
	// MaxRemovalUnits is how many write units these use together. A write takes a
	// unit for each KiB that the row had, and all rows of a key lie in one
	// partition, of which DynamoDB gives 1,000 units a second: fifteen seconds even
	// where nothing is in reserve.
	MaxRemovalUnits = 15_000

	unitBytes = 4 << 10
	// pageUnits is what a full page of a query uses: 1 MB ("Quotas", DynamoDB
	// developer guide).
	pageUnits = 1 << 20 / unitBytes
)

// limits are those of a store; a test sets lower ones.
type limits struct{ reads, units, commitRows, removals, removalUnits int }

var standardLimits = limits{MaxReads, MaxReadUnits, MaxCommitRows, MaxRemovals, MaxRemovalUnits}

// Budget is what a request may read: pages, whatever the rows on them and
// whether the caller sees them. The last read may go beyond it, so that there is
// always progress. It is safe for concurrent use.
type Budget struct {
	limits
	mu   sync.Mutex
	used struct{ reads, units, rows int }
}

// NewBudget makes the budget of one request.
func (s *Store) NewBudget() *Budget { return &Budget{limits: s.limits} }

// take counts a read that has brought so many rows. A server that does not
// tell what it used is taken to have used a full page.
func (b *Budget) take(used *types.ConsumedCapacity, rows int) {
	if b == nil {
		return
	}
	units := pageUnits
	if used != nil {
		units = int(math.Ceil(aws.ToFloat64(used.CapacityUnits)))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used.reads++
	b.used.units += units
	b.used.rows += rows
}

// charge takes all that another budget has used.
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

// Spent reports whether nothing is left. A nil budget has no end.
func (b *Budget) Spent() bool {
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used.reads >= b.reads || b.used.units >= b.units
}

// exceeded is the refusal of a request that would have to read more. What to
// do instead is a sentence without its full stop.
func (b *Budget) exceeded(what, instead string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return tooMany("%s more than %d records, drafts and the traces of deleted ones included, and a request reads %d MiB of records at most; %s",
		what, b.used.rows, b.units*unitBytes>>20, instead)
}

// tooMany is the Invalid fault of a request about more rows than can be handled
// in its time. Its text names the number.
func tooMany(format string, args ...any) error {
	return fault.Invalidf("TOO_MANY_RECORDS", format, args...)
}
