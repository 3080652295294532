package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
)

// userCreate makes a user. A user that exists stays unchanged.
func (o *Operator) userCreate(ctx context.Context, args []string) error {
	names, err := parse(flags("user create"), args, "NAME")
	if err != nil {
		return err
	}
	u, err := o.users().Create(ctx, names[0], o.author())
	if errors.Is(err, user.ErrExists) {
		if u, err = o.users().ByName(ctx, names[0]); err == nil {
			return o.say("user %s exists already, with id %s; nothing changed", u.Name, u.ID)
		}
	}
	if err != nil {
		return err
	}
	return o.say("user %s created, with id %s", u.Name, u.ID)
}

func (o *Operator) userShow(ctx context.Context, args []string) error {
	names, err := parse(flags("user show"), args, "NAME or ID")
	if err != nil {
		return err
	}
	u, err := o.user(ctx, names[0])
	if err != nil {
		return err
	}
	if err := o.say("name     %s\nid       %s\ncreated  %s", u.Name, u.ID, shown(u.CreatedAt)); err != nil {
		return err
	}
	for _, system := range u.VCSs() {
		if known, ok := u.Identities[system]; ok {
			if err := o.say("account  %s at %s", known.Login, system); err != nil {
				return err
			}
		}
	}
	for _, m := range u.Memberships {
		if err := o.say("member   of %s installation %s", m.VCS, m.ID); err != nil {
			return err
		}
	}
	for _, system := range vcs.All() {
		for _, id := range u.Hosted[system].Installations {
			if err := o.say("member   of %s installation %s, stated by %[1]s at %[3]s", system, id, shown(u.Hosted[system].AskedAt)); err != nil {
				return err
			}
		}
	}
	return nil
}

// accountLink links an account at a VCS to a user.
func (o *Operator) accountLink(ctx context.Context, args []string) error {
	fs := flags("account link")
	var a vcs.Account
	fs.StringVar((*string)(&a.VCS), "vcs", "", "")
	fs.StringVar((*string)(&a.ID), "id", "", "")
	name, login := fs.String("user", "", ""), fs.String("login", "", "")
	if _, err := parse(fs, args); err != nil {
		return err
	}
	if err := required(fs, "user", "vcs", "id", "login"); err != nil {
		return err
	}
	if err := validAccount(a, *login); err != nil {
		return err
	}
	u, err := o.user(ctx, *name)
	if err != nil {
		return err
	}
	err = o.users().PutIdentity(ctx, u.ID, a.VCS, user.Identity{ID: a.ID, Login: *login}, o.author())
	if errors.Is(err, user.ErrLinked) {
		return fault.Invalidf("ACCOUNT_TAKEN", "account %s at %s belongs to another user; it may have logged in before, and is then called %[2]s:%[1]s", a.ID, a.VCS)
	}
	if err != nil {
		return err
	}
	return o.say("account %s (%s) at %s is user %s now", a.ID, *login, a.VCS, u.Name)
}

// validAccount returns a fault unless a can be an account. The ids of accounts are
// numbers, as those of installations are.
func validAccount(a vcs.Account, login string) error {
	err := access.CheckInstallation(vcs.Installation(a)) // both are a VCS and an id
	var f *fault.Error
	if errors.As(err, &f) && f.ID == "INVALID_INSTALLATION_ID" {
		where := "https://api.github.com/users/" + login
		if a.VCS == vcs.GitLab {
			where = "/api/v4/users?username=" + login + " of your GitLab"
		}
		return fault.Invalidf("INVALID_ACCOUNT_ID", "%.40q is not the id of an account; it is a number, which %s shows as \"id\"", a.ID, where)
	}
	return err
}

// isUUID reports whether a text has the form of a user's id.
func isUUID(text string) bool {
	id, err := uuid.Parse(text)
	return err == nil && id.String() == text
}

// user finds a user by name or by id. If there is none, the error says how to make
// one.
func (o *Operator) user(ctx context.Context, name string) (user.User, error) {
	if isUUID(name) {
		if u, err := o.users().Get(ctx, name); !errors.Is(err, user.ErrNotFound) {
			return u, err
		}
	}
	u, err := o.users().ByName(ctx, name)
	if errors.Is(err, user.ErrNotFound) {
		return user.User{}, fault.Invalidf("NO_SUCH_USER", "there is no user %q; \"user list\" shows all. If it is to be a new one, make it first: user create %s", name, name)
	}
	if err != nil {
		return user.User{}, fmt.Errorf("user %s: %w", name, err)
	}
	return u, nil
}
