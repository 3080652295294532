package vcstest

import (
	"net/http"
	"strconv"
	"time"
)

// Change is a pull request or merge request at a stand-in.
type Change struct {
	Number int64
	Title  string
	// Author is the account that opened it.
	Author      string
	AuthorID    int64
	Base, Head  string // branches
	BaseSHA     string // empty: the commit of Base
	HeadSHA     string // empty: the commit of Head
	From        int64  // repository of Head; 0 stands for a fork that is gone
	State       string // the host's own word; empty stands for one that is open
	Draft       bool
	MergeCommit string
	// Unsettled is how many more times the host responds without knowing whether there is a
	// conflict.
	Unsettled int
	// Blocked is the host's reason not to merge, such as a rule of the branch. It is empty if
	// there is none.
	Blocked string
	// Reviews are in the order of time. Requested are the logins whose review is awaited.
	Reviews   []Review
	Requested []string
	// Comments are in the order of time.
	Comments []Comment
	// CreatedAt, UpdatedAt and ClosedAt are times for webhooks. A change that is open has no
	// ClosedAt.
	CreatedAt, UpdatedAt, ClosedAt time.Time
	// Stated is the head that the last webhook named. It is empty before the first one.
	Stated string
}

// open reports whether a change is open at GitHub.
func (c *Change) open() bool { return c.State == "" || c.State == "open" }

// changeOf returns the change with the number that a path names.
func changeOf(r *http.Request, all []Change) *Change {
	for i, c := range all {
		if strconv.FormatInt(c.Number, 10) == r.PathValue("number") {
			return &all[i]
		}
	}
	return nil
}
