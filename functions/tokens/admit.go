package main

import (
	"context"

	"github.com/opsplane/opsplane/shared/api/access"
)

// admit refuses a session whose account no longer belongs to the user. It reads the
// user only for sessions: API keys and access tokens belong to the user, whatever
// accounts the user has.
func (t *tokens) admit(ctx context.Context, caller access.Caller) error {
	if caller.Kind != access.KindSession {
		return nil
	}
	_, err := t.users.Admitted(ctx, caller)
	return err
}
