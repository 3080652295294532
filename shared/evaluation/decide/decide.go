// Package decide decides what follows from an event of a pull request: which runs are
// started and aborted, what is said, and which statuses a commit has. The package is pure:
// a Decision follows from a Snapshot, and from nothing else.
//
// Its invariants:
//
//   - No run is started that a rule forbids. A refusal has a text that names the rule and
//     the way out.
//   - The aggregate status of a pull request is green only if nothing of its change waits
//     for an apply.
package decide

import (
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/evaluation/texts"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
)

// Snapshot is what was read for one evaluation.
type Snapshot struct {
	Now     time.Time
	Subject rules.Subject
	// Sign is how the host writes the number of a pull request: # or !.
	Sign string
	// CIFile is the path of the workflow file of the CI.
	CIFile        string
	DefaultBranch string
	// Fork says that the branch is in a fork.
	Fork bool
	// Mistakes are those of the configuration, or of how it fits the files. If there are
	// any, all that follows from the configuration is nil.
	Mistakes repoconfig.Mistakes
	Config   *repoconfig.Config
	Tree     *matching.Repository
	Set      *matching.ChangeSet
	// Guard has the dirspaces as the default branch describes them, if the pull request
	// changes the configuration. It may be nil.
	Guard *matching.Repository
	// Changed are the paths of the changed files.
	Changed []string
	Merges  rules.Repository
	Results rules.Histories
	Owners  []rules.Owner
	Active  []rules.Active
	// Facts are needed for an apply, and for a plan as far as Draft and Mergeable go.
	Facts rules.Facts
	// RunURL returns the address of a run for people.
	RunURL func(run.ID) string
}

// Request is what is asked for.
type Request struct {
	// Operation is what is wanted.
	Operation rules.Operation
	// Query selects dirspaces. The zero Query means all.
	Query repoconfig.Query
	// Only are the dirspaces that are wanted, in their order: all of them, or nothing is
	// done. Nil means all that Query selects.
	Only []run.Dirspace
	// Automatic says that no person wrote a command: nothing is said if there is nothing
	// to do.
	Automatic bool
	// Trigger is the word with which the person writes commands.
	Trigger string
	Actor   rules.Actor
}

// NewRun is a run that is to be started.
type NewRun struct {
	Type  run.Type
	Batch rules.Batch
}

// Mark says what the status of the aggregate is to be.
type Mark string

// The marks.
const (
	// Unmarked leaves the status as it is.
	Unmarked Mark = ""
	Pending  Mark = "pending"
	Green    Mark = "success"
)

// Decision is what is to be done.
type Decision struct {
	Runs []NewRun
	// Abort are runs that new ones take the place of.
	Abort []run.ID
	// Comment is what is said. It is empty if nothing is.
	Comment string
	// Aggregate is the status of the whole pull request.
	Aggregate Mark
	// Close says that no status of the pull request may stay pending: it was closed.
	Close bool
	// Denied are dirspaces that were left out because the person may not plan them.
	Denied []run.Dirspace
	// Refusal names the rule that refused, for the API. It is empty if none did.
	Refusal Refusal
}

// Refusal names a rule that keeps a request from being done.
type Refusal string

// The refusals.
const (
	Disabled      Refusal = "DISABLED"
	ForkRefused   Refusal = "FORK"
	Misconfigured Refusal = "CONFIG_INVALID"
	WrongBranch   Refusal = "DESTINATION_BRANCH"
	NothingToDo   Refusal = "NOTHING_TO_DO"
	AccessDenied  Refusal = "ACCESS_DENIED"
	Conflicted    Refusal = "MERGE_CONFLICT"
	Busy          Refusal = "RUNS_IN_THE_WAY"
	Unplanned     Refusal = "PLAN_MISSING"
	LockedOut     Refusal = "LOCKED"
	NotMet        Refusal = "REQUIREMENTS_NOT_MET"
	ClosedAlready Refusal = "CLOSED"
	// Unsettled means that the host does not know yet whether there is a conflict.
	Unsettled Refusal = "MERGEABILITY_UNKNOWN"
)

// choose returns the members that are wanted. If a dirspace of Only is not among them, it
// returns none.
func (r Request) choose(list []*matching.Member) []*matching.Member {
	if r.Only == nil {
		return list
	}
	var made []*matching.Member
	for _, m := range list {
		if _, is := slices.BinarySearchFunc(r.Only, m.Dirspace.Dirspace, run.Dirspace.Compare); is {
			made = append(made, m)
		}
	}
	if len(made) < len(r.Only) {
		return nil
	}
	return made
}

// conflict returns why the runs of a pull request could not merge its destination, with the
// text for it. It returns the empty Refusal if nothing is in the way.
func conflict(s Snapshot, r Request) (Refusal, string) {
	switch {
	case s.Subject.State != rules.Open || s.Facts.Mergeable:
		return "", ""
	case s.Facts.MergeUnknown && r.Automatic:
		return Unsettled, ""
	case s.Facts.MergeUnknown:
		return Unsettled, texts.MergeUnknown()
	}
	return Conflicted, texts.MergeConflict()
}

// refuse returns a decision that does nothing but say why.
func refuse(why Refusal, text string, silent bool) Decision {
	if silent {
		text = ""
	}
	return Decision{Refusal: why, Comment: text}
}
