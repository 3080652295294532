// Package task holds the tasks: work that continues after the response to the
// request that asked for it. The invariants of the package:
//
//   - A task that has ended (completed, failed, aborted) never changes again.
//   - A task that has not ended belongs to one worker, or has a time at which a
//     worker begins it. So none is forgotten when a worker dies.
//   - What a worker stores of its progress is there for the next worker.
package task

import (
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/vcs"
)

// State is the state of a task.
type State string

// The states. A task begins as Pending and becomes Running. The other three are
// final.
const (
	Pending   State = "pending"
	Running   State = "running"
	Completed State = "completed"
	Failed    State = "failed"
	Aborted   State = "aborted"
)

// Kind says what a task does.
type Kind string

// The kinds.
const (
	// RefreshRepositories asks the host for all repositories of an installation.
	RefreshRepositories Kind = "REPO_REFRESH"
	// RemovePullRequests removes the pull requests of a repository that is gone.
	RemovePullRequests Kind = "REPO_REMOVAL"
	// EraseInstallation removes all data of an installation.
	EraseInstallation Kind = "INSTALLATION_ERASURE"
	// EraseUser removes all data of a person.
	EraseUser Kind = "USER_ERASURE"
)

// Queue says which function works at a task. Each function is woken for the tasks
// of its own queue. A queue is the partition of its tasks' reminders.
type Queue string

// The queues.
const (
	// Hosts is the queue of tasks that ask hosts, or that follow from what hosts
	// stated.
	Hosts Queue = "TASKS"
	// Erasures is the queue of tasks that remove all data of an installation or a
	// person.
	Erasures Queue = "ERASURES"
)

// Queue returns the queue of a kind. An unknown kind has the queue Hosts.
func (k Kind) Queue() Queue {
	if k == EraseInstallation || k == EraseUser {
		return Erasures
	}
	return Hosts
}

// idle returns the value that marks a task that no worker has. By it the filters of
// the stream choose the function that a task wakes.
func (q Queue) idle() string {
	if q == Erasures {
		return "erasure"
	}
	return "yes"
}

// at returns the place of a task of the queue that is due at a time.
func (q Queue) at(due time.Time) queue.Place { return queue.At(string(q), due) }

// Task is one piece of work.
type Task struct {
	// ID is a lower-case UUID.
	ID string
	// Kind says what the task does.
	Kind Kind
	// Owner is the id of the user who asked for the task. Only this user may see
	// it. It is empty if the server or an operator started the task.
	Owner string
	// Installation is the installation that the task is about. It is zero if the
	// task is about a user.
	Installation vcs.Installation
	// Subject is the id of the user that the task is about. It is empty if the task
	// is about an installation.
	Subject string
	// NotBefore is the time before which a new task must not begin. Only the
	// creation of a task uses it. Zero means at once.
	NotBefore time.Time
	// Name says what the task does, for people.
	Name string
	// Note is what the task's worker stores about how far it is. At first it holds
	// the input of the task. The worker chooses its form.
	Note string
	// State is the task's state.
	State State
	// Progress counts what was done.
	Progress Progress
	// Problem says why the last try failed, in words for the owner. It is empty if
	// no try failed.
	Problem string
	// UpdatedAt is the time at which State was last set, in whole seconds.
	UpdatedAt time.Time
}

// Progress is how much of a task is done.
type Progress struct {
	// Done is the number of things that are done, such as repositories.
	Done int64
	// Total is the number of all things. It is 0 until it is known.
	Total int64
}

// Ended reports whether the task will never change again.
func (t Task) Ended() bool { return t.State != Pending && t.State != Running }

// Keep is how long a task can be read after its state last changed.
const Keep = 30 * 24 * time.Hour

// Title returns the name of a task that a request started.
func Title(kind Kind, request string, installation vcs.ID) string {
	return "INSTALLATION : " + request + " : " + string(kind) + " : " + string(installation)
}

// VisibleTo reports whether caller may see the task. Only its owner may. With a
// restricted credential, the owner may see only a task of an installation within
// the restriction.
func (t Task) VisibleTo(caller access.Caller) bool {
	if t.Owner == "" || t.Owner != caller.User {
		return false
	}
	var about access.Set
	if t.Installation.ID != "" {
		about = access.Set{access.VCS(t.Installation.VCS), access.Installation(t.Installation.ID)}
	}
	return about.Within(caller.Capabilities)
}

// ParseID returns the lower-case form of a task id that a client sent, or an
// Invalid fault. Only the plain form of 36 characters is accepted.
func ParseID(text string) (string, error) {
	const length = 36
	id, err := uuid.Parse(text)
	if err != nil || len(text) != length {
		return "", fault.Invalidf("INVALID_ID", "a task id is a UUID, such as 0b6e1f9e-6f0c-4c49-9a9d-5d8f6a3f7b11")
	}
	return id.String(), nil
}
