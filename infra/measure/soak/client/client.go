// Package client makes the operations of a history on a key-value store: on
// package kv directly, or over HTTP on a running stack.
//
// Its one rule is how an error is understood. A refusal by comparison is an
// answer. An error of a read tells nothing. An error of a write leaves open
// whether it took effect, unless it says for certain that it did not.
package client

import (
	"context"
	"fmt"

	"github.com/opsplane/opsplane/infra/measure/soak/history"
)

// Client makes operations, one at a time or many at once.
type Client interface {
	Do(ctx context.Context, c history.Call) history.Answer
}

// Func is a client that is a function.
type Func func(ctx context.Context, c history.Call) history.Answer

// Do implements Client.
func (f Func) Do(ctx context.Context, c history.Call) history.Answer { return f(ctx, c) }

// reads are the actions that change nothing.
var reads = map[history.Action]bool{
	history.Get: true, history.Count: true, history.Size: true, history.SizeRow: true, history.Iterate: true, history.Open: true,
}

// failed is the answer for an error that is no refusal.
func failed(c history.Call, why string) history.Answer {
	// An upload that nobody can name is never completed.
	if reads[c.Action] || c.Action == history.Create {
		return history.Answer{Outcome: history.Void, Note: why}
	}
	return history.Answer{Outcome: history.Unknown, Note: why}
}

// contended is the answer for a refusal because others were quicker. One that
// works row by row may have removed some of the rows by then.
func contended(c history.Call) history.Answer {
	if c.Action == history.DeleteKey && c.Version != nil {
		return history.Answer{Outcome: history.Unknown, Note: "contended"}
	}
	return history.Answer{Outcome: history.Void, Note: "contended"}
}

// impossible is the answer for what no store may answer.
func impossible(format string, args ...any) history.Answer {
	return history.Answer{Outcome: history.Impossible, Note: fmt.Sprintf(format, args...)}
}

// ids of refusals that tell more than their kind.
const (
	idContended = "CONTENDED"
)

// record turns what is known of a row into what was seen, or says what is wrong
// with it. text is nil where the value was not asked for.
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
