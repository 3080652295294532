// Package history records what clients asked of a key-value store and what
// they were answered, each with the moments of call and return, so that
// package model can decide whether the store kept its contract.
//
// Its invariants: an operation whose outcome is not known is recorded as such
// and never guessed; and every value written has a number of its own, so that
// who reads it knows which write it came from.
package history

import (
	"sync"
	"time"
)

// Row names one row.
type Row struct {
	Key string
	Idx int
}

// Action is what an operation does.
type Action string

// The actions. Those of artifacts follow one upload from Create on.
const (
	Set       Action = "set"
	CAS       Action = "cas"
	Get       Action = "get"
	DeleteRow Action = "delete row"
	DeleteKey Action = "delete key"
	Commit    Action = "commit"
	Count     Action = "count"
	Size      Action = "size"
	SizeRow   Action = "size of row"
	Iterate   Action = "iterate"
	Create    Action = "create upload"
	Put       Action = "put file"
	Complete  Action = "complete upload"
	Abort     Action = "abort upload"
	Open      Action = "open artifact"
)

// Call is what was asked.
type Call struct {
	Action Action `json:"action"`
	// Row is the row, or with Key alone the key, that is acted on. An
	// iteration walks over the keys that begin with its Key.
	Row
	// Value is the number of the value that is written.
	Value int `json:",omitempty"`
	// Committed is false for the write of a draft.
	Committed bool `json:",omitempty"`
	// Drafts makes a read see drafts too.
	Drafts bool `json:",omitempty"`
	// Version is the condition of a cas, a delete, or an upload; nil for none.
	Version *int `json:",omitempty"`
	// Absent is the condition of an upload that its row must not exist.
	Absent bool `json:",omitempty"`
	// Targets is what a commit names; an entry with a nil Idx is every row.
	Targets []Target `json:",omitempty"`
	// Limit and After are the page of an iteration; Link is where the page
	// before said that this one is.
	Limit int    `json:",omitempty"`
	After *Row   `json:",omitempty"`
	Link  string `json:"-"`
	// Upload is the upload that is acted on.
	Upload Upload `json:",omitzero"`
}

// Target names one row for a commit, or with a nil Idx every row of a key.
type Target struct {
	Key string
	Idx *int `json:",omitempty"`
}

// Upload is an upload of an artifact as its creator knows it.
type Upload struct {
	// ID is the store's name for it.
	ID string
	// URL and Header are what the file's bytes are sent with.
	URL    string            `json:"-"`
	Header map[string]string `json:"-"`
}

// Outcome is how an operation ended.
type Outcome string

// The outcomes.
const (
	// Done: it took effect, or answered.
	Done Outcome = "done"
	// Refused: a comparison failed, the thing is not there, or the operation
	// says for certain that it changed nothing.
	Refused Outcome = "refused"
	// Unknown: it may have taken effect, or may still do so.
	Unknown Outcome = "unknown"
	// Void: it had no effect and tells nothing, as a read that failed.
	Void Outcome = "void"
	// Impossible: it answered what no store may answer, such as a value that
	// nobody wrote. Note says what.
	Impossible Outcome = "impossible"
)

// Why an upload is not completed or not aborted, as an answer's Note.
const (
	Incomplete = "the file's bytes are not there"
	Gone       = "there is no such upload, or no more"
	Unmet      = "the condition on the row does not hold"
)

// Seen is a row as a read showed it.
type Seen struct {
	Row
	Version   int
	Committed bool
	// Value is the number of the value, 0 where the value was not asked for.
	Value int
	// ValueOnly says that the read tells neither Version nor Committed.
	ValueOnly bool `json:",omitempty"`
}

// Answer is what came back.
type Answer struct {
	Outcome Outcome `json:"outcome"`
	// Version is the version that a write made.
	Version int `json:",omitempty"`
	// Rows is what a read showed, or in a commit's answer what it changed.
	Rows []Seen `json:",omitempty"`
	// Found says whether a delete removed a row.
	Found bool `json:",omitempty"`
	// Count and Max answer Count; Size answers Size and SizeRow.
	Count, Max, Size int `json:",omitempty"`
	// Next is where an iteration goes on, nil at the end; Link is the address,
	// where there is one.
	Next *Row   `json:",omitempty"`
	Link string `json:"-"`
	// Upload is what Create made.
	Upload Upload `json:",omitzero"`
	// Request is the id under which the audit trail has the operation; empty
	// where the client is not told.
	Request string `json:",omitempty"`
	// Note is the reason, for whoever reads the history.
	Note string `json:",omitempty"`
}

// Operation is one call and its answer.
type Operation struct {
	// Client is who called: a client does one thing after another.
	Client int
	Call   Call
	Answer Answer
	// Start and End are when it was called and when it returned, in
	// nanoseconds of one clock that only goes forward.
	Start, End int64
}

// Recorder collects the operations of concurrent clients.
type Recorder struct {
	mu    sync.Mutex
	began time.Time
	ops   []Operation
}

// NewRecorder starts an empty history.
func NewRecorder() *Recorder { return &Recorder{began: time.Now()} }

// Do records one operation by calling do.
func (r *Recorder) Do(client int, c Call, do func(Call) Answer) Answer {
	op := Operation{Client: client, Call: c, Start: int64(time.Since(r.began))}
	op.Answer = do(c)
	op.End = int64(time.Since(r.began))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops = append(r.ops, op)
	return op.Answer
}

// Operations returns what was recorded, in the order of return.
func (r *Recorder) Operations() []Operation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ops
}
