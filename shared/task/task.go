// Package task holds the tasks: work that goes on after the request that asked
// for it was answered. Its invariant: a task that has ended (completed, failed,
// aborted) never changes again.
package task

import (
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/access"
	"github.com/opsplane/opsplane/shared/fault"
)

// State is how far a task has come.
type State string

// The states. A task begins as Pending and goes on to Running; the other three
// are ends.
const (
	Pending   State = "pending"
	Running   State = "running"
	Completed State = "completed"
	Failed    State = "failed"
	Aborted   State = "aborted"
)

// next lists where a task may go from a state.
var next = map[State][]State{
	Pending: {Running, Completed, Failed, Aborted},
	Running: {Completed, Failed, Aborted},
}

// Task is one piece of work.
type Task struct {
	// ID is a lower-case UUID.
	ID string
	// Owner is the id of the user who asked for it: the only one who may see
	// it.
	Owner string
	// VCS and Installation are what the task is about; both empty for a task
	// that is about no installation.
	VCS, Installation string
	// Name says what the task does, for people.
	Name string
	// State is how far it has come.
	State State
	// UpdatedAt is when State was last set, whole seconds.
	UpdatedAt time.Time
}

// Keep is how long a task can be read after its last change.
const Keep = 30 * 24 * time.Hour

// VisibleTo reports whether caller may see the task: its owner alone, and with
// a restricted credential only a task of an installation within the
// restriction.
func (t Task) VisibleTo(caller access.Caller) bool {
	if t.Owner == "" || t.Owner != caller.User {
		return false
	}
	var about access.Set
	if t.Installation != "" {
		about = access.Set{access.VCS(t.VCS), access.Installation(t.Installation)}
	}
	return about.Within(caller.Capabilities)
}

// ParseID reads a task id as a client sends it and answers its lower-case
// form, or an Invalid fault. Only the plain form of 36 characters is accepted.
func ParseID(text string) (string, error) {
	const length = 36
	id, err := uuid.Parse(text)
	if err != nil || len(text) != length {
		return "", fault.Invalidf("INVALID_ID", "a task id is a UUID, such as 0b6e1f9e-6f0c-4c49-9a9d-5d8f6a3f7b11")
	}
	return id.String(), nil
}
