// Package history records the operations that clients call on a key-value store and the
// answers, each with the times of call and return. Package model uses this to decide whether
// the store kept its contract.
//
// Its invariants: an operation with an unknown outcome is recorded as unknown, and its outcome
// is never guessed. Every written value has a number of its own, so that a reader of the value
// knows which write made it.
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

// Action says what an operation does.
type Action string

// The actions. From Create on, the actions of artifacts are the steps of one upload.
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

// Call is what a client requests.
type Call struct {
	Action Action `json:"action"`
	// Row is the row that the operation acts on. If only Key is set, it acts on the key. An
	// iteration visits the keys that begin with its Key.
	Row
	// Value is the number of the value that is written.
	Value int `json:",omitempty"`
	// Committed is false if the write makes a draft.
	Committed bool `json:",omitempty"`
	// Drafts makes a read see drafts too.
	Drafts bool `json:",omitempty"`
	// Version is the condition of a cas, a delete, or an upload. Nil means no condition.
	Version *int `json:",omitempty"`
	// Absent is the condition of an upload that its row does not exist.
	Absent bool `json:",omitempty"`
	// Targets are what a commit names. A target with a nil Idx is every row of its key.
	Targets []Target `json:",omitempty"`
	// Limit and After define the page of an iteration. Link is the address of this page, as the
	// page before it stated.
	Limit int    `json:",omitempty"`
	After *Row   `json:",omitempty"`
	Link  string `json:"-"`
	// Upload is the upload that the operation acts on.
	Upload Upload `json:",omitzero"`
}

// Target is one row of a commit, or with a nil Idx every row of a key.
type Target struct {
	Key string
	Idx *int `json:",omitempty"`
}

// Upload is an upload of an artifact as its creator knows it.
type Upload struct {
	// ID is the store's id of the upload.
	ID string
	// URL and Header are used to send the file's bytes.
	URL    string            `json:"-"`
	Header map[string]string `json:"-"`
}

// Outcome says how an operation ended.
type Outcome string

// The outcomes.
const (
	// Done: the operation took effect, or returned what it read.
	Done Outcome = "done"
	// Refused: a comparison failed, the thing does not exist, or the operation says with
	// certainty that it changed nothing.
	Refused Outcome = "refused"
	// Unknown: the operation may have taken effect, or may still do so.
	Unknown Outcome = "unknown"
	// Void: the operation had no effect and says nothing. An example is a failed read.
	Void Outcome = "void"
	// Impossible: the operation returned what no correct store returns, such as a value that
	// nobody wrote. Note describes it.
	Impossible Outcome = "impossible"
)

// Reasons why an upload is not completed or not aborted. They are the Note of an answer.
const (
	Incomplete = "the file's bytes are not there"
	Gone       = "there is no such upload, or no more"
	Unmet      = "the condition on the row does not hold"
)

// Seen is a row as a read returned it.
type Seen struct {
	Row
	Version   int
	Committed bool
	// Value is the number of the value, or 0 if the value was not requested.
	Value int
	// ValueOnly says that the read returned neither Version nor Committed.
	ValueOnly bool `json:",omitempty"`
}

// Answer is the result of a call.
type Answer struct {
	Outcome Outcome `json:"outcome"`
	// Version is the version that a write made.
	Version int `json:",omitempty"`
	// Rows are the rows that a read returned or that a commit changed.
	Rows []Seen `json:",omitempty"`
	// Found is true if a delete removed a row.
	Found bool `json:",omitempty"`
	// Count and Max are the result of the action Count. Size is the result of the actions Size
	// and SizeRow.
	Count, Max, Size int `json:",omitempty"`
	// Next is where an iteration continues, or nil at the end. Link is the address of the next
	// page, if there is one.
	Next *Row   `json:",omitempty"`
	Link string `json:"-"`
	// Upload is the upload that Create made.
	Upload Upload `json:",omitzero"`
	// Request is the request id with which the audit trail records the operation. It is empty
	// if the client does not know it.
	Request string `json:",omitempty"`
	// Note is the reason, for a person who reads the history.
	Note string `json:",omitempty"`
}

// Operation is one call and its answer.
type Operation struct {
	// Client is the number of the client that called. A client makes one call at a time.
	Client int
	Call   Call
	Answer Answer
	// Start and End are the times of the call and of its return, in nanoseconds of one
	// monotonic clock.
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

// Do records one operation. It calls do.
func (r *Recorder) Do(client int, c Call, do func(Call) Answer) Answer {
	op := Operation{Client: client, Call: c, Start: int64(time.Since(r.began))}
	op.Answer = do(c)
	op.End = int64(time.Since(r.began))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops = append(r.ops, op)
	return op.Answer
}

// Operations returns the recorded operations, in the order of their returns.
func (r *Recorder) Operations() []Operation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ops
}
