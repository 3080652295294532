// Package installation holds the installations: the GitHub organisations and
// GitLab groups that this server works for. Its invariant: an installation is
// identified by VCS and id together, so that equal ids on two VCSs are two
// installations.
package installation

import (
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Installation is one organisation or group that the server works for.
type Installation struct {
	// VCS is where it is, and ID is the number that the VCS gave it.
	VCS vcs.VCS
	ID  vcs.ID
	// Name is what people call it: 1 to MaxName bytes.
	Name string
	// CreatedAt is when it became known, whole seconds.
	CreatedAt time.Time
	// State is what its host has told of it.
	State State
	// TargetType is "Organization", "User" or "Enterprise" on GitHub; empty where
	// the host has told nothing.
	TargetType string
}

// State is whether the host delivers what happens at an installation.
type State string

// The states. An installation that only an operator has made known is Unknown.
const (
	Unknown     State = ""
	Installed   State = "installed"
	Suspended   State = "suspended"
	Uninstalled State = "uninstalled"
)

// MaxName bounds a name, in bytes. GitHub allows 39 characters and GitLab 255.
const MaxName = 255

// Key returns what names the installation.
func (i Installation) Key() vcs.Installation { return vcs.Installation{VCS: i.VCS, ID: i.ID} }

// Check returns an Invalid fault unless the VCS of i is supported and its id is
// valid.
func Check(i vcs.Installation) error {
	if !i.VCS.Valid() {
		return fault.Invalidf("INVALID_VCS", "%.40q is not a VCS; use github or gitlab", i.VCS)
	}
	if !i.ID.Valid() {
		return fault.Invalidf("INVALID_INSTALLATION_ID", "%.40q is not an installation id; it is a number of at most %d digits, such as 42", i.ID, vcs.MaxID)
	}
	return nil
}

func (i Installation) valid() error {
	if err := Check(i.Key()); err != nil {
		return err
	}
	if i.Name == "" || len(i.Name) > MaxName {
		return fault.Invalidf("INVALID_NAME", "an installation's name has 1 to %d bytes, not %d", MaxName, len(i.Name))
	}
	return nil
}
