package access

import (
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/vcs"
)

// CheckInstallation returns an Invalid fault unless the VCS of i is supported and
// its id is valid.
func CheckInstallation(i vcs.Installation) error {
	if !i.VCS.Valid() {
		return fault.Invalidf("INVALID_VCS", "%.40q is not a VCS; use github or gitlab", i.VCS)
	}
	if !i.ID.Valid() {
		return fault.Invalidf("INVALID_INSTALLATION_ID", "%.40q is not an installation id; it is a number of at most %d digits, such as 42", i.ID, vcs.MaxID)
	}
	return nil
}
