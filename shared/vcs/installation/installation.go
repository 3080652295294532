// Package installation holds the installations: the GitHub organisations and GitLab
// groups that this server works for. Its invariant: VCS and id together identify an
// installation. So equal ids at two VCSs are two installations.
package installation

import (
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Installation is one organisation or group that the server works for.
type Installation struct {
	// VCS is the installation's VCS. ID is the number that the VCS gave it.
	VCS vcs.VCS
	ID  vcs.ID
	// Name is the name that people read: 1 to MaxName bytes.
	Name string
	// CreatedAt is the time when the installation became known, in whole seconds.
	CreatedAt time.Time
	// State is the state that the host stated.
	State State
	// TargetType is "Organization", "User" or "Enterprise" on GitHub. It is empty
	// if the host has not stated it.
	TargetType string
}

// State says whether the host sends deliveries about an installation.
type State string

// The states. An installation that only an operator has added is Unknown.
const (
	Unknown     State = ""
	Installed   State = "installed"
	Suspended   State = "suspended"
	Uninstalled State = "uninstalled"
)

// MaxName is the maximum length of a name, in bytes. GitHub allows 39 characters
// and GitLab 255.
const MaxName = 255

// NameOfGroup returns the name of an installation that is a GitLab group: the last
// MaxName bytes of the group's full name, or less, so that no character is cut in
// two. The full name begins with the names of all parent groups, each of up to 255
// characters.
func NameOfGroup(fullName string) string {
	return strings.ToValidUTF8(fullName[max(0, len(fullName)-MaxName):], "")
}

// Key returns the VCS and the id, which identify the installation.
func (i Installation) Key() vcs.Installation { return vcs.Installation{VCS: i.VCS, ID: i.ID} }

func (i Installation) valid() error {
	if err := access.CheckInstallation(i.Key()); err != nil {
		return err
	}
	if i.Name == "" || len(i.Name) > MaxName {
		return fault.Invalidf("INVALID_NAME", "an installation's name has 1 to %d bytes, not %d", MaxName, len(i.Name))
	}
	return nil
}
