package admin

import (
	"context"
	"errors"
	"flag"
	"slices"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

// installationCreate makes an installation known, or renames one.
func (o *Operator) installationCreate(ctx context.Context, args []string) error {
	fs := flags("installation create")
	vcs, id, name := fs.String("vcs", "", ""), fs.String("id", "", ""), fs.String("name", "", "")
	if _, err := parse(fs, args); err != nil {
		return err
	}
	if err := required(fs, "vcs", "id", "name"); err != nil {
		return err
	}
	of := installationOf(*vcs, *id)
	made := installation.Installation{VCS: of.VCS, ID: of.ID, Name: *name}
	outcome, err := o.installations().Save(ctx, o.author(), made)
	if err != nil {
		return err
	}
	did := map[installation.Outcome]string{
		installation.Created:   "created",
		installation.Renamed:   "existed by another name; it is renamed",
		installation.Unchanged: "exists already; nothing changed",
	}[outcome]
	return o.say("%s installation %s (%s) %s", *vcs, *id, *name, did)
}

// installationOf returns the installation that two flags name.
func installationOf(system, id string) vcs.Installation {
	return vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(id)}
}

// membershipFlags reads what both membership commands need.
func membershipFlags(fs *flag.FlagSet, args []string) (name string, m access.Membership, err error) {
	fs.StringVar(&name, "user", "", "")
	fs.StringVar(&m.VCS, "vcs", "", "")
	fs.StringVar(&m.Installation, "installation", "", "")
	if _, err := parse(fs, args); err != nil {
		return "", m, err
	}
	if err := required(fs, "user", "vcs", "installation"); err != nil {
		return "", m, err
	}
	return name, m, installation.Check(installationOf(m.VCS, m.Installation))
}

func (o *Operator) membershipAdd(ctx context.Context, args []string) error {
	name, m, err := membershipFlags(flags("membership add"), args)
	if err != nil {
		return err
	}
	u, err := o.user(ctx, name)
	if err != nil {
		return err
	}
	if _, err := o.installations().Get(ctx, installationOf(m.VCS, m.Installation)); errors.Is(err, fault.ErrNotFound) {
		return fault.Invalidf("NO_SUCH_INSTALLATION",
			"there is no %[1]s installation %[2]s; make it first: installation create --vcs %[1]s --id %[2]s --name NAME", m.VCS, m.Installation)
	} else if err != nil {
		return err
	}
	if err := o.notErasing(ctx, m); err != nil {
		return err
	}
	added, err := o.join(ctx, u, m)
	if err != nil {
		return err
	}
	// An erasure may have begun meanwhile, and have looked for members before.
	if err := o.notErasing(ctx, m); err != nil {
		return errors.Join(err, o.endMemberships(ctx, []user.User{u}, m))
	}
	if !added {
		return o.say("user %s is a member of %s installation %s already; nothing changed", u.Name, m.VCS, m.Installation)
	}
	return o.say("user %s is now a member of %s installation %s", u.Name, m.VCS, m.Installation)
}

// join adds a membership and reports whether it is new.
func (o *Operator) join(ctx context.Context, u user.User, m access.Membership) (bool, error) {
	if slices.Contains(u.Memberships, m) {
		return false, nil
	}
	return true, o.users().AddMembership(ctx, u.ID, m, o.author())
}

func (o *Operator) membershipRemove(ctx context.Context, args []string) error {
	name, m, err := membershipFlags(flags("membership remove"), args)
	if err != nil {
		return err
	}
	u, err := o.user(ctx, name)
	if err != nil {
		return err
	}
	if !slices.Contains(u.Memberships, m) {
		return o.say("user %s is no member of %s installation %s; nothing changed", u.Name, m.VCS, m.Installation)
	}
	if err := o.users().RemoveMembership(ctx, u.ID, m, o.author()); err != nil {
		return err
	}
	o.note("Access tokens given out before may reach it for up to 60 seconds more.")
	return o.say("user %s is no longer a member of %s installation %s", u.Name, m.VCS, m.Installation)
}
