package admin

import (
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
)

// The forms of the two restrictions on a command line.
const (
	formInstallation = "installation_id="
	formVCS          = "vcs="
)

// capabilityForms lists the forms of all capabilities on a command line.
func capabilityForms() []string {
	var forms []string
	for _, c := range access.Strings() {
		forms = append(forms, c.Name)
	}
	return append(forms, formInstallation+"N", formVCS+"V")
}

// capabilityList is a flag that may be given many times.
type capabilityList access.Set

// String implements flag.Value.
func (l *capabilityList) String() string { return "" }

// Set implements flag.Value. It reads one capability, or several separated by
// commas.
func (l *capabilityList) Set(text string) error {
	for one := range strings.SplitSeq(text, ",") {
		if err := l.add(strings.TrimSpace(one)); err != nil {
			return err
		}
	}
	return nil
}

func (l *capabilityList) add(text string) error {
	var c access.Capability
	switch id, isInstallation := strings.CutPrefix(text, formInstallation); {
	case isInstallation:
		c = access.Installation(vcs.ID(id))
	case strings.HasPrefix(text, formVCS):
		c = access.VCS(vcs.VCS(strings.TrimPrefix(text, formVCS)))
	case slices.Contains(access.Strings(), access.Capability{Name: text}):
		c = access.Capability{Name: text}
	default:
		return usagef("use one of %s", strings.Join(capabilityForms(), ", "))
	}
	*l = append(*l, c)
	return nil
}

// checkRestrictions refuses restrictions under which a key of the user would reach
// nothing. The user must be a member of each installation, on a VCS that the key
// reaches. Each VCS must know the user.
func checkRestrictions(u user.User, caps access.Set) error {
	vcss := caps.VCSs()
	for _, system := range vcss {
		if !system.Valid() {
			return fault.Invalidf("INVALID_VCS", "%.40q is not a VCS; use %sgithub or %sgitlab", system, formVCS, formVCS)
		}
		if _, known := u.Login(system); !known {
			return fault.Invalidf("NOT_A_MEMBER",
				"user %[1]s is a member of no %[2]s installation; add one first: membership add --user %[1]s --vcs %[2]s --installation N", u.Name, system)
		}
	}
	if len(vcss) == 0 {
		vcss = vcs.All()
	}
	for _, id := range caps.Installations() {
		if err := access.CheckInstallation(vcs.Installation{VCS: vcss[0], ID: id}); err != nil {
			return err
		}
		member := slices.ContainsFunc(u.Memberships, func(m vcs.Installation) bool {
			return m.ID == id && slices.Contains(vcss, m.VCS)
		})
		if !member {
			return fault.Invalidf("NOT_A_MEMBER",
				"user %[1]s is no member of %[2]s installation %[3]s; add it first: membership add --user %[1]s --vcs V --installation %[3]s",
				u.Name, oneOf(vcss), id)
		}
	}
	return nil
}

// oneOf lists VCSs with "or" between them.
func oneOf(vcss []vcs.VCS) string {
	names := make([]string, len(vcss))
	for i, system := range vcss {
		names[i] = string(system)
	}
	return strings.Join(names, " or ")
}

// written returns capabilities in the form that the command line accepts.
func written(caps access.Set) string {
	var forms []string
	for _, c := range caps {
		if c.Restricts() {
			forms = append(forms, c.Name+"="+c.Value)
		} else {
			forms = append(forms, c.Name)
		}
	}
	return strings.Join(forms, ",")
}
