package admin

import (
	"context"
	"errors"
	"flag"
	"slices"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

// installationCreate adds an installation, or renames one.
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

// membershipFlags reads the flags of both membership commands.
func membershipFlags(fs *flag.FlagSet, args []string) (name string, m vcs.Installation, err error) {
	fs.StringVar(&name, "user", "", "")
	fs.StringVar((*string)(&m.VCS), "vcs", "", "")
	fs.StringVar((*string)(&m.ID), "installation", "", "")
	if _, err := parse(fs, args); err != nil {
		return "", m, err
	}
	if err := required(fs, "user", "vcs", "installation"); err != nil {
		return "", m, err
	}
	return name, m, access.CheckInstallation(m)
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
	if _, err := o.installations().Get(ctx, m); errors.Is(err, fault.ErrNotFound) {
		return fault.Invalidf("NO_SUCH_INSTALLATION",
			"there is no %[1]s installation %[2]s; make it first: installation create --vcs %[1]s --id %[2]s --name NAME", m.VCS, m.ID)
	} else if err != nil {
		return err
	}
	unerased, err := o.notErasing(ctx, m)
	if err != nil {
		return err
	}
	added, err := o.join(ctx, u, m, unerased)
	if err != nil {
		return err
	}
	if !added {
		return o.say("user %s is a member of %s installation %s already; nothing changed", u.Name, m.VCS, m.ID)
	}
	return o.say("user %s is now a member of %s installation %s", u.Name, m.VCS, m.ID)
}

// join adds a membership and reports whether it is new. An erasure may begin at any
// time, and looks for members only after it has begun. So the membership is written
// in one transaction with the condition that no erasure has begun.
func (o *Operator) join(ctx context.Context, u user.User, m vcs.Installation, unerased table.Write) (bool, error) {
	if slices.Contains(u.Memberships, m) {
		return false, nil
	}
	err := o.users().AddMembershipIf(ctx, u.ID, m, o.author(), unerased)
	if errors.Is(err, user.ErrConditionFailed) {
		if _, err := o.notErasing(ctx, m); err != nil {
			return false, err
		}
		return false, fault.Busyf("CONTENDED", "an erasure of the installation has begun and ended meanwhile: try again")
	}
	return true, err
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
		return o.say("user %s is not a member of %s installation %s; nothing changed", u.Name, m.VCS, m.ID)
	}
	if err := o.users().RemoveMembership(ctx, u.ID, m, o.author()); err != nil {
		return err
	}
	o.note("Access tokens that were made before may reach it for up to 60 more seconds.")
	return o.say("user %s is no longer a member of %s installation %s", u.Name, m.VCS, m.ID)
}
