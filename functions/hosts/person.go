package main

import (
	"context"
	"errors"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// asPerson asks a VCS with the holder's own token, in the name of the caller.
// Hosts end a token when its grant is refreshed, which another call may do
// meanwhile: so do is called once more with the next token, where there is one.
// session.ErrNoGrant if the person has to log in again, or took the grant back.
// The grant is refreshed by refresh.
func (h *hosts) asPerson(ctx context.Context, call httpapi.Call, of session.Holder, refresh session.Refresher, do func(token string) error) error {
	author := call.Author()
	token, err := h.grants.Token(ctx, of, refresh, author)
	if err != nil {
		return err
	}
	if err := do(token); !errors.Is(err, vcshost.ErrRefused) {
		return err
	}
	if token, err = h.grants.Renewed(ctx, of, token, refresh, author); err != nil {
		return err
	}
	if err = do(token); errors.Is(err, vcshost.ErrRefused) {
		return session.ErrNoGrant
	}
	return err
}
