package vcstest

import "time"

// Comment is a comment of a pull request or merge request at a stand-in.
type Comment struct {
	ID       int64
	Author   string
	AuthorID int64
	// App is the id of the App that wrote the comment. It is 0 for a person.
	App  int64
	Text string
	// Hidden is the reason with which the comment was folded, such as "OUTDATED". It is empty
	// for one that is shown.
	Hidden string
	// Reactions are the names of the reactions, such as "rocket".
	Reactions []string
	// At is when the comment was written.
	At time.Time
}

// Review is a review of a pull request at a stand-in.
type Review struct {
	Author   string
	AuthorID int64 // 0 stands for an account that is gone
	// State is the host's own word. GitHub has "APPROVED", "CHANGES_REQUESTED", "COMMENTED"
	// and "DISMISSED". GitLab has one state of each person, such as "approved",
	// "requested_changes", "reviewed" and "unreviewed".
	State string
}

// Status is a commit status at a stand-in.
type Status struct {
	Context, State, Description, URL string
}

// CheckRun is a check run of a commit at GitHub.
type CheckRun struct {
	Name string
	// Status and Conclusion are the host's own words. A run that is not "completed" has no
	// conclusion.
	Status, Conclusion string
	// App is the slug of the App that made it, such as "github-actions".
	App string
}
