package vcshost

import (
	"errors"

	"github.com/opsplane/opsplane/shared/vcs"
)

// Repository is what a host states about a repository.
type Repository struct {
	vcs.Description
	// Namespace names who may decide about the repository, in the form that
	// MayDecide accepts. At GitHub it is the login of the owner. At GitLab it is
	// the id of the group that the project lies in, and it is empty for a project
	// of a person.
	Namespace string
	// MembersOnly says that only people whom somebody let in can see the repository. It is
	// false for an internal repository, which everybody of an enterprise (GitHub) or of the
	// server (GitLab) can see.
	MembersOnly bool
}

// RepositoryPage is a page of the repositories of an installation.
type RepositoryPage struct {
	Repositories []Repository
	// Odd are the entries of the page that could not be read.
	Odd []Odd
	// Next is the number of the next page. It is 0 after the last one.
	Next int
	// Total is the number of repositories on all pages. It is 0 if the host does
	// not state it.
	Total int
}

// Profile is what a host states about the account of a person, a bot or an
// organisation.
type Profile struct {
	// ID never changes.
	ID vcs.ID
	// Login is the account's name. It may change.
	Login string
	// AvatarURL is the address of the picture; it may be empty.
	AvatarURL string
}

// Check returns an error unless the profile has an id and a login.
func (p Profile) Check() error {
	if !p.ID.Valid() || p.Login == "" {
		return errors.New("the host's answer names no account")
	}
	return nil
}
