package vcshost

import (
	"errors"

	"github.com/opsplane/opsplane/shared/vcs"
)

// Repository is what a host tells of a repository.
type Repository struct {
	vcs.Description
	// Namespace names who may decide about the repository, as MayDecide takes it:
	// at GitHub the login of its owner, at GitLab the id of the group that it lies
	// in. It is empty for a GitLab project of a person.
	Namespace string
}

// RepositoryPage is a page of the repositories of an installation.
type RepositoryPage struct {
	Repositories []Repository
	// Odd are the entries of the page that cannot be read.
	Odd []Odd
	// Next is the number of the next page; 0 after the last one.
	Next int
	// Total is how many repositories all pages have; 0 if the host does not say.
	Total int
}

// Profile is what a host tells of the account of a person, a bot or an
// organisation.
type Profile struct {
	// ID never changes.
	ID vcs.ID
	// Login is the name, which may change.
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
