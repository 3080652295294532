package vcshost

import "github.com/opsplane/opsplane/shared/vcs"

// Branch is what a host states about a branch.
type Branch struct {
	Name string
	// SHA is the id of the commit that the branch is at.
	SHA string
}

// PullRequest is what a host states about a pull request or merge request at the
// time of the request.
type PullRequest struct {
	Number int64
	Title  string
	// Author is the account that opened it.
	Author Profile
	// BaseBranch is the branch to merge into. BaseSHA is the commit of it that the
	// host compares with.
	BaseBranch, BaseSHA string
	// Branch is the branch to merge, at the commit SHA. It is a branch of the
	// repository From.
	Branch, SHA string
	// From is the repository of Branch. It differs from the pull request's own
	// repository if a fork asks to be merged. It is empty if the fork is gone.
	From vcs.ID
	// Open is false once the pull request is closed or merged.
	Open bool
	// Merged says that it was merged, as the commit MergedSHA.
	Merged    bool
	MergedSHA string
	// Draft says that it is not ready for review.
	Draft bool
	// Merge says whether it could be merged now. It is MergeUnknown unless it is open.
	Merge Mergeability
}
