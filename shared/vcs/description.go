package vcs

// Description is what a host or a delivery says of a repository.
type Description struct {
	// ID, Owner and Name are always told. Owner is the account, or the group at
	// the top; Name is the rest of the path, which has slashes where a GitLab
	// project lies in a group within a group.
	ID          ID
	Owner, Name string
	// Private, Archived and Setup are nil, and DefaultBranch is empty, where they
	// are not told. Setup says that the workflow file of the runs is there.
	Private, Archived, Setup *bool
	DefaultBranch            string
}
