// Package task holds the tasks: work that goes on after the request that asked
// for it was answered. Its invariants: a task that has ended (completed, failed,
// aborted) never changes again; one that has not is either being worked at, by
// one worker, or has a time at which a worker takes it up, so that none is
// forgotten when a worker dies; and what a worker notes of its progress is
// there for the next one.
package task

import (
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/vcs"
)

// State is how far a task has come.
type State string

// The states. A task begins as Pending and goes on to Running; the other three
// are ends. Aborted is one that clients know and that nothing sets.
const (
	Pending   State = "pending"
	Running   State = "running"
	Completed State = "completed"
	Failed    State = "failed"
	Aborted   State = "aborted"
)

// Kind is what a task does.
type Kind string

// The kinds.
const (
	// RefreshRepositories asks the host for all repositories of an
	// installation.
	RefreshRepositories Kind = "REPO_REFRESH"
	// RemovePullRequests removes those of a repository that is gone.
	RemovePullRequests Kind = "REPO_REMOVAL"
	// EraseInstallation removes all data of an installation.
	EraseInstallation Kind = "INSTALLATION_ERASURE"
	// EraseUser removes all data of a person.
	EraseUser Kind = "USER_ERASURE"
)

// Queue is which function works at a task: each is woken for those of its own. It
// is the partition of their reminders.
type Queue string

// The queues.
const (
	// Hosts has what is done at hosts and with what they told.
	Hosts Queue = "TASKS"
	// Erasures has what removes all data of somebody.
	Erasures Queue = "ERASURES"
)

// Queue returns where tasks of a kind wait; those of an unknown kind wait in
// Hosts.
func (k Kind) Queue() Queue {
	if k == EraseInstallation || k == EraseUser {
		return Erasures
	}
	return Hosts
}

// idle marks a task that nobody works at: by it the filters of the stream choose
// which function a task wakes.
func (q Queue) idle() string {
	if q == Erasures {
		return "erasure"
	}
	return "yes"
}

// Task is one piece of work.
type Task struct {
	// ID is a lower-case UUID.
	ID string
	// Kind is what it does.
	Kind Kind
	// Owner is the id of the user who asked for it: the only one who may see
	// it. Empty for what the server does by itself, and for what operators asked for.
	Owner string
	// VCS and Installation are what the task is about.
	VCS, Installation string
	// Subject is the id of the user whom the task is about; empty for one about an
	// installation.
	Subject string
	// NotBefore is when a new task is to be begun, for those that create it; zero
	// is at once.
	NotBefore time.Time
	// Name says what the task does, for people.
	Name string
	// Note is what its worker has noted of where it stands, and at first what it
	// has to know; the form is the worker's.
	Note string
	// State is how far it has come.
	State State
	// Progress counts what was done.
	Progress Progress
	// Problem is why the last try failed, in words for the owner; empty where
	// none did.
	Problem string
	// UpdatedAt is when State was last set, whole seconds.
	UpdatedAt time.Time
}

// Progress is how much of a task is done.
type Progress struct {
	// Done counts things, such as repositories.
	Done int64
	// Total is how many there are; 0 while nobody knows.
	Total int64
}

// Ended reports whether the task will never change again.
func (t Task) Ended() bool { return t.State != Pending && t.State != Running }

// Keep is how long a task can be read after its state last changed.
const Keep = 30 * 24 * time.Hour

// Title is the name of a task of a request.
func Title(kind Kind, request, installation string) string {
	return "INSTALLATION : " + request + " : " + string(kind) + " : " + installation
}

// VisibleTo reports whether caller may see the task: its owner alone, and with
// a restricted credential only a task of an installation within the
// restriction.
func (t Task) VisibleTo(caller access.Caller) bool {
	if t.Owner == "" || t.Owner != caller.User {
		return false
	}
	var about access.Set
	if t.Installation != "" {
		about = access.Set{access.VCS(vcs.VCS(t.VCS)), access.Installation(vcs.ID(t.Installation))}
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
