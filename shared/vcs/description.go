package vcs

// Description is what a host or a delivery states about a repository.
type Description struct {
	// ID, Owner and Name are always stated. Owner is the account, or the top-level
	// group. Name is the rest of the path. It has slashes if a GitLab project lies
	// in a group within a group.
	ID          ID
	Owner, Name string
	// Private, Archived and Setup are nil, and DefaultBranch is empty, if they are
	// not stated. Setup says that the repository has the workflow file of the runs.
	Private, Archived, Setup *bool
	DefaultBranch            string
}
