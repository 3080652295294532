// Package kv is the key-value store: records named by installation, key and
// idx, with versions, drafts, and capabilities of their own. docs/data-model.md
// describes the items. Its invariants: a single-row operation is linearizable;
// a commit or a delete of any number of rows becomes visible by one
// conditional write of the key's head; and no write is applied twice.
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
	// MaxKeyBytes is the longest key, in bytes of UTF-8. DynamoDB's sort key
	// holds 1,024 bytes.
	MaxKeyBytes = 1000
	// MinIdx and MaxIdx bound idx: a 16-bit signed integer on the wire.
	MinIdx, MaxIdx = overlay.MinIdx, overlay.MaxIdx
	// MaxVersion is the highest version: the write after it is refused.
	MaxVersion = 1<<15 - 1
	// MaxCommitKeys is how many keys one commit can make visible together:
	// DynamoDB's transactions hold 100 items.
	MaxCommitKeys = 100
	// MaxLimit is the longest page of an iteration, in records.
	MaxLimit = 10000
	// MaxEscapedValue is the largest value, in bytes of its canonical text as
	// a JSON string: a Lambda function's request and response hold 6 MB each
	// (6,291,456 bytes), in which the body stands as an escaped string. The
	// rest is room for the record's other members and the event's envelope.
	MaxEscapedValue = 6<<20 - 64<<10
)

// Caller is who asks, and for which installation.
type Caller struct {
	// Installation has the keys. Every operation stays within it.
	Installation vcs.Installation
	// Capabilities are those of the credential. They are compared with the rows'
	// own lists; the store asks for no other.
	Capabilities access.Set
	// Author stands in the items that the operation changes. The time of the
	// operation is Author.At. Operations that only read need no author.
	Author change.Author
}

// Record is one row as a caller sees it.
type Record struct {
	// Key and Idx name the row.
	Key string
	Idx int
	// Data is the canonical JSON text; nil where it was not asked for.
	Data []byte
	// Size is in characters of the canonical text with a space after each
	// colon and comma.
	Size int
	// Version counts the overwrites since the row was created, from 0.
	Version int
	// Committed is false for a draft.
	Committed bool
	// ReadCaps and WriteCaps are the row's own capabilities; nil means
	// unrestricted.
	ReadCaps, WriteCaps *access.Set
	// CreatedAt is when the row was last written; a commit does not change it.
	CreatedAt time.Time
}

// Write is what a set or a compare-and-set stores.
type Write struct {
	// Key and Idx name the row.
	Key string
	Idx int
	// Value is the data.
	Value canonical.Value
	// Committed is false for a draft.
	Committed bool
	// ReadCaps and WriteCaps replace those of the row; nil clears them.
	ReadCaps, WriteCaps *access.Set
}

// Target names one row, or with a nil Idx every row of a key.
type Target struct {
	Key string
	Idx *int
}

// Position names one row in the order of iteration: by the bytes of the key,
// then by idx.
type Position struct {
	Key string
	Idx int
}

// Range is what an iteration walks over.
type Range struct {
	// Key is where it starts.
	Key string
	// Idx, if given, bounds the rows of the start key. With Inclusive the
	// walk then stays on that key; without, it goes on to later keys.
	Idx *int
	// Inclusive includes the start itself.
	Inclusive bool
	// Prefix keeps to keys that begin with Key.
	Prefix bool
	// Drafts includes rows that are not committed.
	Drafts bool
	// WithData reads the values.
	WithData bool
	// Limit is how many records a page holds at most, 0 to MaxLimit.
	Limit int
	// After continues strictly behind a position that a page gave as its next.
	After *Position
	// Budget is what the walk may read. Pages that make up one answer share
	// one; nil is a new one.
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
