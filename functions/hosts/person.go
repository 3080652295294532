package main

import (
	"context"
	"errors"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// asPerson calls do with the holder's own token, in the name of the caller. refresh
// refreshes the grant. Hosts end a token when its grant is refreshed, and another
// call may refresh the grant at the same time. So if the host refuses the token, do
// is called once more with the next token, if there is one. asPerson returns
// grant.ErrNone if the person must log in again, or has revoked the grant.
func (h *hosts) asPerson(ctx context.Context, call httpapi.Call, of grant.Holder, refresh grant.Refresher, do func(token string) error) error {
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
		return grant.ErrNone
	}
	return err
}
