// Package lane keeps what is to be evaluated, and what came of it, in EvaluationTable.
// Each repository has a lane. Its invariants:
//
//   - A request is written in the transaction that stores the fact behind it, so no crash
//     loses it. It stays until the decision about it is stored, in one transaction.
//   - One worker at a time evaluates a repository: the holder of the lane's lease. A
//     write of a holder whose lease is over changes nothing.
//   - A command, the end of a run and a drift check are decided about once, however often
//     their request comes. Requests about the state of a pull request coalesce.
//   - The effects of a decision are kept with how far they are, until the last is made.
package lane

import (
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Kind is what a request is about.
type Kind string

// The kinds.
const (
	// Pull says that a pull request changed: opened, pushed, ready for review, closed,
	// merged, unlocked. The evaluation reads its state at the host.
	Pull Kind = "pull"
	// Command is a comment that may hold a command.
	Command Kind = "command"
	// Ended says that a run has ended.
	Ended Kind = "ended"
	// Push says that the default branch has a new commit.
	Push Kind = "push"
	// Drift says that a schedule for drift is due.
	Drift Kind = "drift"
)

// rank orders requests of one time. Hosts tell times in whole seconds, and a person who
// writes a command has seen what happened before.
func (k Kind) rank() int {
	if k == Command {
		return 1
	}
	return 0
}

// Request asks for an evaluation.
type Request struct {
	Kind       Kind           `json:"kind"`
	Repository vcs.Repository `json:"repository"`
	// Number is that of the pull request. It is 0 where there is none.
	Number int64 `json:"number,omitempty"`
	// Sender is the login of whoever caused the event. SenderID is the account's id.
	Sender   string `json:"sender,omitempty"`
	SenderID vcs.ID `json:"sender_id,omitempty"`
	// Comment and Text are the id and the text of a Command. The text is at most
	// comment.MaxBytes long.
	Comment string `json:"comment,omitempty"`
	Text    string `json:"text,omitempty"`
	// Run is the run that has Ended.
	Run run.ID `json:"run,omitempty"`
	// Automatic is true for a Pull that may start an automatic plan. Edits of a title,
	// labels and assignees do not.
	Automatic bool `json:"automatic,omitempty"`
	// At is when the event happened, as far as this server knows.
	At time.Time `json:"at"`
}

// Name returns the name of the request in its lane. Requests with one name coalesce: the
// later one takes the place of the earlier one.
func (r Request) Name() string {
	switch r.Kind {
	case Pull:
		return fmt.Sprintf("pull#%d", r.Number)
	case Command:
		return "command#" + r.Comment
	case Ended:
		return "ended#" + string(r.Run)
	case Drift:
		return fmt.Sprintf("drift#%d", r.At.UnixMilli())
	default:
		return string(r.Kind)
	}
}

// Once reports whether a request is decided about once. The others are about a state,
// and may be evaluated again at any time.
func (r Request) Once() bool { return r.Kind == Command || r.Kind == Ended || r.Kind == Drift }
