// Package installation holds the installations: the GitHub organisations and
// GitLab groups that this server works for. Its invariant: an installation is
// identified by VCS and id together, so that equal ids on two VCSs are two
// installations.
package installation

import (
	"regexp"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Installation is one organisation or group that the server works for.
type Installation struct {
	// VCS is "github" or "gitlab".
	VCS string
	// ID is the VCS's own number for it, decimal digits without a leading
	// zero.
	ID string
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

// An id of a VCS is a positive 64-bit number.
var idForm = regexp.MustCompile(`^[1-9][0-9]{0,18}$`)

// ValidID answers an Invalid fault unless vcs is a known VCS and id has the
// form of an installation's id.
func ValidID(system, id string) error {
	if !vcs.VCS(system).Valid() {
		return fault.Invalidf("INVALID_VCS", "%.40q is not a VCS; use github or gitlab", system)
	}
	if !idForm.MatchString(id) {
		return fault.Invalidf("INVALID_INSTALLATION_ID", "%.40q is not an installation id; it is a number of at most 19 digits, such as 42", id)
	}
	return nil
}

func (i Installation) valid() error {
	if err := ValidID(i.VCS, i.ID); err != nil {
		return err
	}
	if i.Name == "" || len(i.Name) > MaxName {
		return fault.Invalidf("INVALID_NAME", "an installation's name has 1 to %d bytes, not %d", MaxName, len(i.Name))
	}
	return nil
}
