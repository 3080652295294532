// Package kv is the key-value store. A record is named by installation, key and
// idx. It has a version and capabilities, and it may be a draft. docs/data-model.md
// describes the items.
//
// The invariants: An operation on a single row is linearizable. A commit or a
// delete of any number of rows of a key becomes visible with one conditional write
// of the key's head. No write is applied twice.
package kv

import (
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv/canonical"
	"github.com/opsplane/opsplane/shared/kv/overlay"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Limits of the store.
const (
	// MaxKeyBytes is the maximum length of a key, in bytes of UTF-8. DynamoDB's
	// sort key holds 1,024 bytes.
	MaxKeyBytes = 1000
	// MinIdx and MaxIdx are the limits of idx. It is a 16-bit signed integer on the
	// wire.
	MinIdx, MaxIdx = overlay.MinIdx, overlay.MaxIdx
	// MaxVersion is the highest version. The write after it is refused.
	MaxVersion = 1<<15 - 1
	// MaxCommitKeys is the maximum number of keys that one commit publishes
	// together. A DynamoDB transaction holds 100 items.
	MaxCommitKeys = 100
	// MaxLimit is the maximum number of records on one page of an iteration.
	MaxLimit = 10000
	// MaxEscapedValue is the largest value, in bytes of its canonical text as a
	// JSON string. The request and the response of a Lambda function hold 6 MB each
	// (6,291,456 bytes), and the body stands in them as an escaped string. The
	// remaining 64 KiB are for the other members of the record and the envelope of
	// the event.
	MaxEscapedValue = 6<<20 - 64<<10
)

// Caller says who makes a request, and for which installation.
type Caller struct {
	// Installation owns the keys. Every operation stays within it.
	Installation vcs.Installation
	// Capabilities are those of the credential. The store compares them with the
	// lists of the rows and requires no other capability.
	Capabilities access.Set
	// Author is recorded in the items that the operation changes. Author.At is the
	// time of the operation. Operations that only read do not need an author.
	Author change.Author
}

// Record is one row as a caller sees it.
type Record struct {
	// Key and Idx name the row.
	Key string
	Idx int
	// Data is the canonical JSON text; nil if it was not requested.
	Data []byte
	// Size is the number of characters of the canonical text with a space after
	// each colon and comma.
	Size int
	// Version counts the overwrites since the row was created, from 0.
	Version int
	// Committed is false for a draft.
	Committed bool
	// ReadCaps and WriteCaps are the row's own capabilities. nil means no
	// restriction.
	ReadCaps, WriteCaps *access.Set
	// CreatedAt is the time of the row's last write. A commit does not change it.
	CreatedAt time.Time
}

// Write is what Set or CompareAndSet stores.
type Write struct {
	// Key and Idx name the row.
	Key string
	Idx int
	// Value is the data.
	Value canonical.Value
	// Committed is false for a draft.
	Committed bool
	// ReadCaps and WriteCaps replace those of the row. nil removes them.
	ReadCaps, WriteCaps *access.Set
}

// Target names one row or, if Idx is nil, every row of a key.
type Target struct {
	Key string
	Idx *int
}

// Position names one row in the order of iteration: by the bytes of the key, then
// by idx.
type Position struct {
	Key string
	Idx int
}

// Range says which rows an iteration visits.
type Range struct {
	// Key is the start key.
	Key string
	// Idx, if not nil, is the first idx of the start key. With Inclusive, the walk
	// then stays on that key. Without Inclusive, it goes on to later keys.
	Idx *int
	// Inclusive includes the start itself.
	Inclusive bool
	// Prefix limits the walk to keys that begin with Key.
	Prefix bool
	// Drafts includes rows that are not committed.
	Drafts bool
	// WithData also reads the values.
	WithData bool
	// Limit is the maximum number of records on a page: 0 to MaxLimit.
	Limit int
	// After makes the walk begin after this position, which an earlier page
	// returned as next.
	After *Position
	// Budget limits what the walk reads. Pages that form one response share one
	// budget. nil means a new budget.
	Budget *Budget
}

func checkKey(key string) error {
	if len(key) > MaxKeyBytes {
		return fault.Invalidf("KEY_TOO_LONG", "the key has %d bytes; at most %d are allowed", len(key), MaxKeyBytes)
	}
	return nil
}

func checkIdx(idx int) error {
	if idx < MinIdx || idx > MaxIdx {
		return fault.Invalidf("INVALID_IDX", "idx %d is out of range; use %d to %d", idx, MinIdx, MaxIdx)
	}
	return nil
}

func checkRow(key string, idx *int) error {
	if err := checkKey(key); err != nil || idx == nil {
		return err
	}
	return checkIdx(*idx)
}

func checkWrite(w Write) error {
	if err := checkRow(w.Key, &w.Idx); err != nil {
		return err
	}
	if n := w.Value.EscapedLen(); n > MaxEscapedValue {
		return fault.TooLargef("VALUE_TOO_LARGE",
			"the value takes %d bytes inside a response; at most %d can be returned. Split it over several idx of the key, as chunks",
			n, MaxEscapedValue)
	}
	return nil
}
