// Package client makes the operations of a history on a key-value store: on package kv
// directly, or over HTTP on a running stack.
//
// It has one rule for the meaning of errors. A refusal because a comparison failed is an
// answer. A failed read says nothing. After a failed write it is open whether the write took
// effect, unless the error says with certainty that it did not.
package client

import (
	"context"
	"fmt"

	"github.com/opsplane/opsplane/infra/measure/soak/history"
)

// Client makes operations. It may be used one call at a time, or by many goroutines at once.
type Client interface {
	Do(ctx context.Context, c history.Call) history.Answer
}

// Func is a function that is a Client.
type Func func(ctx context.Context, c history.Call) history.Answer

// Do implements Client.
func (f Func) Do(ctx context.Context, c history.Call) history.Answer { return f(ctx, c) }

// reads are the actions that change nothing.
var reads = map[history.Action]bool{
	history.Get: true, history.Count: true, history.Size: true, history.SizeRow: true, history.Iterate: true, history.Open: true,
}

// failed returns the answer for an error that is not a refusal.
func failed(c history.Call, why string) history.Answer {
	// An upload whose id nobody knows is never completed.
	if reads[c.Action] || c.Action == history.Create {
		return history.Answer{Outcome: history.Void, Note: why}
	}
	return history.Answer{Outcome: history.Unknown, Note: why}
}

// contended returns the answer for a refusal because other writers were faster. An operation
// that works row by row may have removed some of the rows before.
func contended(c history.Call) history.Answer {
	if c.Action == history.DeleteKey && c.Version != nil {
		return history.Answer{Outcome: history.Unknown, Note: "contended"}
	}
	return history.Answer{Outcome: history.Void, Note: "contended"}
}

// impossible returns the answer for a response that no correct store gives.
func impossible(format string, args ...any) history.Answer {
	return history.Answer{Outcome: history.Impossible, Note: fmt.Sprintf(format, args...)}
}

// ids of refusals that say more than their kind does.
const (
	idContended = "CONTENDED"
)

// record converts a row of a response to what was seen, or says what is wrong with the row.
// text is nil if the value was not requested.
func record(row history.Row, version int, committed bool, size int, text []byte) (history.Seen, error) {
	seen := history.Seen{Row: row, Version: version, Committed: committed}
	if text == nil {
		return seen, nil
	}
	n, err := history.Number(text)
	if err != nil {
		return seen, err
	}
	if want := history.SizeOf(n); size != want {
		return seen, fmt.Errorf("value %d of %s[%d] shows size %d, want %d", n, row.Key, row.Idx, size, want)
	}
	seen.Value = n
	return seen, nil
}
