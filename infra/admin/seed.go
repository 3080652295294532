package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

// seedKey is the name of the key that Seed makes.
const seedKey = "first"

// Seed makes what a new local stack begins with: a signing key, the user "admin",
// GitHub installation 1 named "local" with that user as a member, and an API key of
// that user with every capability that is not a restriction. It returns the key's
// text, which cannot be read again.
//
// It can be called again, after a crash at any point. What exists stays, except
// that a key of an earlier call is revoked, because its text was lost.
func (o *Operator) Seed(ctx context.Context) (string, error) {
	if err := o.firstSigningKey(ctx); err != nil {
		return "", err
	}
	u, err := o.users().ByName(ctx, firstUser)
	if errors.Is(err, user.ErrNotFound) {
		u, err = o.users().Create(ctx, firstUser, o.author())
	}
	if err != nil {
		return "", fmt.Errorf("seed user: %w", err)
	}
	local := installation.Installation{VCS: vcs.GitHub, ID: "1", Name: "local"}
	if _, err := o.installations().Save(ctx, o.author(), local); err != nil {
		return "", fmt.Errorf("seed installation: %w", err)
	}
	if m := local.Key(); !slices.Contains(u.Memberships, m) {
		if err := o.users().AddMembership(ctx, u.ID, m, o.author()); err != nil {
			return "", fmt.Errorf("seed membership: %w", err)
		}
	}
	if err := o.revokeLost(ctx, u.ID); err != nil {
		return "", err
	}
	n := apikey.New{User: u.ID, Name: seedKey, Description: "The key that the stack began with.", Capabilities: access.Strings()}
	text, _, err := o.keys().Create(ctx, n, o.author())
	if err != nil {
		return "", fmt.Errorf("seed API key: %w", err)
	}
	return text, nil
}

// revokeLost revokes the keys that earlier calls of Seed made.
func (o *Operator) revokeLost(ctx context.Context, owner string) error {
	keys, err := o.keys().List(ctx, owner, apikey.Query{})
	if err != nil {
		return fmt.Errorf("seed API key: %w", err)
	}
	for _, k := range keys {
		if k.Name != seedKey {
			continue
		}
		if err := o.keys().Revoke(ctx, owner, k.ID, o.author()); err != nil {
			return fmt.Errorf("revoke the lost API key %s: %w", k.ID, err)
		}
	}
	return nil
}

func (o *Operator) seedCommand(ctx context.Context, args []string) error {
	if _, err := parse(flags("seed"), args); err != nil {
		return err
	}
	text, err := o.Seed(ctx)
	if err != nil {
		return err
	}
	return o.say("%s", text)
}
