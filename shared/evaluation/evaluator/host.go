package evaluator

import (
	"context"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Host is what an evaluation needs of the client of an installation. githubhost and
// gitlabhost document the methods.
type Host interface {
	Reader
	Writer
}

// Reader reads what a decision follows from.
type Reader interface {
	// Repository returns a repository with its default branch.
	Repository(ctx context.Context, id vcs.ID) (vcshost.Repository, error)
	// Repositories returns a page of the repositories of the installation. page counts from
	// 1, and size is at most 100.
	Repositories(ctx context.Context, page, size int) (vcshost.RepositoryPage, error)
	// OwnRepository returns a repository only if it belongs to the installation.
	OwnRepository(ctx context.Context, id vcs.ID) (vcshost.Repository, error)
	Branch(ctx context.Context, r vcs.Description, name string) (vcshost.Branch, error)
	PullRequest(ctx context.Context, r vcs.Description, number int64) (vcshost.PullRequest, error)
	// File returns the content of a file at a commit. It returns vcshost.ErrGone if there
	// is none, and vcshost.ErrTooLarge if it has more than vcshost.MaxFileBytes.
	File(ctx context.Context, r vcs.Description, path, commit string) ([]byte, error)
	// Tree returns all files of a repository at a commit, also where the host truncates
	// its responses. It returns vcshost.ErrTooLarge beyond vcshost.MaxFiles.
	Tree(ctx context.Context, r vcs.Description, commit string) ([]vcshost.File, error)
	// Changes returns the files that a pull request changes: those that differ between
	// the merge base of two commits and head. It is complete, whatever the number.
	Changes(ctx context.Context, r vcs.Description, base, head string) ([]vcshost.FileChange, error)
	Reviews(ctx context.Context, r vcs.Description, number int64) (vcshost.Reviews, error)
	// Checks returns the statuses and check runs of a commit, the newest of each name.
	Checks(ctx context.Context, r vcs.Description, commit string) ([]vcshost.Check, error)
	// Role returns what an account may do in a repository: admin, maintain, write,
	// triage, read, or the empty text.
	Role(ctx context.Context, r vcs.Description, account vcshost.Profile) (string, error)
	// InTeam reports whether an account is a member of a team of the organisation that
	// has the repository. A team that does not exist has no members.
	InTeam(ctx context.Context, r vcs.Description, team string, account vcshost.Profile) (bool, error)
}

// Writer makes the effects of a decision. Package vcshost says which calls may be
// repeated.
type Writer interface {
	SetStatus(ctx context.Context, r vcs.Description, commit string, s vcshost.CommitStatus) error
	CreateComment(ctx context.Context, r vcs.Description, number int64, text string) (vcshost.Comment, error)
	// EditComment returns vcshost.ErrGone if the comment was removed.
	EditComment(ctx context.Context, r vcs.Description, number int64, id, text string) error
	// HideComment folds a comment as outdated. GitLab cannot: it does nothing there.
	HideComment(ctx context.Context, r vcs.Description, number int64, id string) error
	DeleteComment(ctx context.Context, r vcs.Description, number int64, id string) error
	// FindComment returns the newest comment of this server's own account that has a
	// text, among the newest 100 of the pull request. It returns vcshost.ErrGone if there
	// is none.
	FindComment(ctx context.Context, r vcs.Description, number int64, marker string) (vcshost.Comment, error)
	// React adds a rocket to a comment.
	React(ctx context.Context, r vcs.Description, number int64, comment string) error
	// Merge merges a pull request. It returns nil if it is merged already.
	Merge(ctx context.Context, r vcs.Description, number int64, m vcshost.Merge) error
	// DeleteBranch returns nil if there is no such branch.
	DeleteBranch(ctx context.Context, r vcs.Description, name string) error
}
