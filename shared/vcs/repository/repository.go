// Package repository keeps the repositories of the installations, as the VCS hosts
// have stated them. Its invariant: each part of what is stored comes from the
// newest fact that stated this part. The order in which facts arrive, and how often
// they arrive, does not matter. Whether a repository exists is stored separately
// from its description: many facts describe a repository, but few prove that it
// exists now.
package repository

import (
	"time"

	"github.com/opsplane/opsplane/shared/vcs"
)

// Repository is one repository of an installation.
type Repository struct {
	// ID is the host's id of the repository.
	ID vcs.ID
	// Owner is the account or group that it belongs to. Name is its own name,
	// without the owner.
	Owner, Name string
	// DefaultBranch is empty until a fact states it.
	DefaultBranch string
	// Archived says that the repository is read-only at the host. Private says that
	// it is not public.
	Archived, Private bool
	// Setup says that the CI workflow file exists on the default branch.
	Setup bool
	// KnownSince is the time when this server first stored it, in whole seconds.
	KnownSince time.Time
}

// Cursor returns the repository's place in a list. Repositories with larger cursors
// come after it.
func (r Repository) Cursor() string { return cursor(r.Name, r.ID) }

// cursor sorts by name, byte by byte, then by id.
func cursor(name string, id vcs.ID) string { return name + "\x00" + id.Sortable() }

// MaxName is the maximum length of a repository's name, in bytes. The longest names
// are those of GitLab projects in groups within groups. The name is a part of the
// key of an index, which has 1,024 bytes at most ("Service, account, and table
// quotas", AWS documentation).
const MaxName = 1000

// Keep is how long the item of a repository that is gone is kept. It is longer than
// a delivery is kept, so that no delivery brings the repository back.
const Keep = 60 * 24 * time.Hour
