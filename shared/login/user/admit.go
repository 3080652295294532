package user

import (
	"context"
	"errors"

	"github.com/opsplane/opsplane/shared/api/access"
)

// Admitted reads the user of a caller. It returns a refusal (*access.Refusal) if
// the user no longer exists, as for any credential without an owner. It also
// returns one if the caller is a session of an account that no longer belongs to
// the user. An operation whose path names no installation must call it, because the
// authorizer reads the user only if the path names one.
func (s *Store) Admitted(ctx context.Context, c access.Caller) (User, error) {
	u, err := s.Get(ctx, c.User)
	if errors.Is(err, ErrNotFound) {
		return User{}, access.Refuse(access.StepAccount, "the user is gone")
	}
	if err == nil && !u.Admits(c) {
		return User{}, access.Refuse(access.StepAccount, "the account of the session is no longer the user's")
	}
	return u, err
}
