package main

import (
	"context"
	"errors"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/login/user"
)

// admit refuses a session of an account that is no longer its user's: the paths
// name no installation, so that the authorizer has not looked. It costs one read,
// of sessions alone: keys and tokens belong to the user, whatever its accounts.
func (t *tokens) admit(ctx context.Context, caller access.Caller) error {
	if caller.Kind != access.KindSession {
		return nil
	}
	u, err := t.users.Get(ctx, caller.User)
	if errors.Is(err, user.ErrNotFound) || err == nil && !u.Admits(caller) {
		return access.Refuse(access.StepAccount, "the user is gone, or has no longer the account of the session")
	}
	return err
}
