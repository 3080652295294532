package vcshost

import "errors"

// Mergeability says whether a pull request could be merged.
type Mergeability int

// The mergeabilities.
const (
	// MergeUnknown means that the host has not found it out yet.
	MergeUnknown Mergeability = iota
	// MergePossible means that the branches have no conflict.
	MergePossible
	// MergeConflict means that the branches have a conflict.
	MergeConflict
)

// File is a file of a repository at a commit.
type File struct {
	// Path has / between its parts, and none at its beginning.
	Path string
	// ID is the id of its content (the id of git's blob).
	ID string
}

// FileChange is a file that a change touches.
type FileChange struct {
	Path string
	// Previous is the path before the file was moved. It is empty if it was not moved.
	Previous string
}

// MaxFileBytes is the largest file that File reads, in bytes.
const MaxFileBytes = 1 << 20

// MaxFiles is the largest number of files of a repository that Tree returns.
const MaxFiles = 200_000

// Errors of the calls that evaluations make.
var (
	// ErrTooLarge says that a file or a tree is larger than this server reads.
	ErrTooLarge = errors.New("it is larger than this server reads")
	// ErrNotMergeable says that the host does not merge the pull request as it is now. A
	// Rejection or Refusal says why, if the host does.
	ErrNotMergeable = errors.New("the host does not merge the pull request")
)

// Verdict is what a review says. Reviews that only comment have none.
type Verdict string

// The verdicts.
const (
	Approves         Verdict = "approves"
	RequestsChanges  Verdict = "requests changes"
	VerdictDismissed Verdict = "dismissed"
)

// Review is a review of a pull request.
type Review struct {
	Author  Profile
	Verdict Verdict
}

// Reviews are the reviews of a pull request.
type Reviews struct {
	// List is in the order of time. Reviews without a verdict are left out.
	List []Review
	// Requested is the number of reviews that were requested and are not done.
	Requested int
}

// CheckState is how far a check is.
type CheckState string

// The states of a check.
const (
	CheckPending CheckState = "pending"
	CheckSuccess CheckState = "success"
	CheckFailure CheckState = "failure"
)

// Check is a commit status, or a check run, or a job of the host's own CI.
type Check struct {
	Name  string
	State CheckState
	// HostCI says that the host's own CI made it: a check run of GitHub Actions, or a job
	// of a pipeline of GitLab. The runs of this server are among these.
	HostCI bool
}

// CommitStatus is a status that this server gives to a commit.
type CommitStatus struct {
	// Name has at most 200 bytes.
	Name  string
	State CheckState
	// Description is for people. The clients cut it to what the host takes (140 characters
	// at GitHub, 255 at GitLab).
	Description string
	// URL is the page for people. It may be empty.
	URL string
}

// Comment is a comment of a pull request.
type Comment struct {
	// ID is the host's id, in decimal digits.
	ID string
	// URL is the page of the comment, for people. It may be empty.
	URL string
}

// MergeMethod is how a pull request is merged.
type MergeMethod string

// The methods. MergeAuto is the first that the repository allows: merge, squash, rebase.
const (
	MergeAuto   MergeMethod = "auto"
	MergeMerge  MergeMethod = "merge"
	MergeSquash MergeMethod = "squash"
	MergeRebase MergeMethod = "rebase"
)

// Merge says how a pull request is to be merged.
type Merge struct {
	// Head is the commit that the pull request must have. Another one is refused with
	// ErrNotMergeable.
	Head   string
	Method MergeMethod
	// Title is that of the merge commit. It is empty for the host's own.
	Title string
}
