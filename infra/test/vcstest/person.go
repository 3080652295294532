package vcstest

import (
	"errors"
	"fmt"
	"time"
)

// Account is who acts at a stand-in: with a browser, or with git.
type Account struct {
	ID    int64
	Login string
}

// Opening is a pull request or merge request that somebody opens.
type Opening struct {
	Title string
	// Base and Head are branches. An empty Base stands for the default branch.
	Base, Head string
	Draft      bool
	// From is the id of the repository that has Head. 0 stands for the same repository. The
	// commits of a fork are in the content of the repository, too.
	From int64
}

// Verdict is what somebody says in a review.
type Verdict string

// The verdicts. Withdraw takes back what the same account has said before.
const (
	Approve        Verdict = "approve"
	RequestChanges Verdict = "request changes"
	Withdraw       Verdict = "withdraw"
)

// Errors of what people do.
var (
	// ErrNone says that the stand-in has no such repository, branch or pull request.
	ErrNone = errors.New("the host does not have it")
	// ErrRefused says that the host refuses it, as things are now.
	ErrRefused = errors.New("the host refuses it")
)

func none(what string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(what, args...), ErrNone)
}

func refused(why string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(why, args...))
}

// Editable is a Content that people change with git.
type Editable interface {
	Content
	// Commit makes a commit on a branch and returns its id. A nil content removes a file.
	Commit(branch string, changes map[string][]byte) string
	// SetBranch makes a branch at a commit, or moves it there.
	SetBranch(name, commit string)
}

// Pull is a pull request or merge request as its page shows it.
type Pull struct {
	// Change is a copy. Its commits are set.
	Change
	// Repository is "owner/name".
	Repository string
	// Conflict says that it cannot be merged.
	Conflict bool
	// Moved says that it is open, and that no webhook has named its head yet.
	Moved bool
	// Files are the files that it changes.
	Files []Difference
	// Statuses are those of the head, the newest of each name.
	Statuses []Status
}

// Webhook is a webhook request of a stand-in, without its headers.
type Webhook struct {
	// Event is the value of the header that names the event (X-GitHub-Event, X-Gitlab-Event).
	Event string
	// Installation is the id of an installation of GitHub, or of a group of GitLab.
	Installation string
	Body         []byte
}

// Clock returns the time of a stand-in.
type Clock func() time.Time

func (c Clock) now() time.Time {
	if c == nil {
		return time.Now()
	}
	return c()
}
