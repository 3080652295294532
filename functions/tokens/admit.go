package main

import (
	"context"

	"github.com/opsplane/opsplane/shared/api/access"
)

// admit refuses a session of an account that is no longer its user's. It reads
// the user for sessions alone: API keys and access tokens belong to the user,
// whatever its accounts.
func (t *tokens) admit(ctx context.Context, caller access.Caller) error {
	if caller.Kind != access.KindSession {
		return nil
	}
	_, err := t.users.Admitted(ctx, caller)
	return err
}
