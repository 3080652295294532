// Package repository keeps the repositories of the installations, as far as
// the VCS hosts have told. Its invariant: what is stored is, part by part, the
// newest that was told, in whatever order and however often facts arrive. That a
// repository is there is told apart from what it is like: many facts describe
// one, and few prove that it is there now.
package repository

import (
	"time"

	"github.com/opsplane/opsplane/shared/vcs"
)

// Repository is one repository of an installation.
type Repository struct {
	// ID is the host's id of it.
	ID vcs.ID
	// Owner is the account or group that it belongs to; Name its own name,
	// without the owner.
	Owner, Name string
	// DefaultBranch is empty while no event has told it.
	DefaultBranch string
	// Archived repositories are read-only at the host; Private ones are not
	// public.
	Archived, Private bool
	// Setup says that the CI workflow file exists on the default branch.
	Setup bool
	// KnownSince is when it became known here, whole seconds.
	KnownSince time.Time
}

// Cursor places the repository in a list: after it come those with larger
// cursors.
func (r Repository) Cursor() string { return cursor(r.Name, r.ID) }

// cursor sorts by name, byte by byte, then by id.
func cursor(name string, id vcs.ID) string { return name + "\x00" + id.Sortable() }

// MaxName bounds a repository's name, in bytes: the longest is that of a GitLab
// project within groups of a group. The name is a part of the key of an index,
// which has 1,024 bytes at most ("Service, account, and table quotas", AWS
// documentation).
const MaxName = 1000

// Keep is how long it is remembered that a repository is gone: longer than a
// delivery lives, so that none brings it back.
const Keep = 60 * 24 * time.Hour
