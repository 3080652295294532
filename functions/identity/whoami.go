package main

import (
	"context"
	"errors"
	"slices"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
)

// identity is what the routes work with.
type identity struct {
	users    *user.Store
	sessions *session.Store
}

// self is who the caller is.
type self struct {
	ID  string   `json:"id"`
	VCS []string `json:"vcs"`
}

// account is who the caller is at a VCS.
type account struct {
	AvatarURL string `json:"avatar_url,omitempty"`
	Username  string `json:"username"`
}

// whoami answers the caller's id and the VCSs that know it, those outside the
// credential's restriction left out. A console asks it on every start, so it is
// where the use of a session is recorded.
func (i identity) whoami(ctx context.Context, call httpapi.Call, _ struct{}) (self, error) {
	if err := i.see(ctx, call); err != nil {
		return self{}, err
	}
	u, err := i.caller(ctx, call)
	if err != nil {
		return self{}, err
	}
	vcss := u.VCSs()
	if allowed := call.Caller.Capabilities.VCSs(); len(allowed) > 0 {
		vcss = slices.DeleteFunc(vcss, func(known string) bool { return !slices.Contains(allowed, vcs.VCS(known)) })
	}
	return self{ID: u.ID, VCS: vcss}, nil
}

// whoamiAt answers the caller's name at a VCS, and refuses a caller whom the
// VCS does not know.
func (i identity) whoamiAt(ctx context.Context, call httpapi.Call, _ struct{}) (account, error) {
	u, err := i.caller(ctx, call)
	if err != nil {
		return account{}, err
	}
	known, ok := u.Login(string(call.VCS))
	if !ok {
		return account{}, access.Refuse(access.StepAccount, "the user has no account at %s", call.VCS)
	}
	return account{AvatarURL: known.AvatarURL, Username: known.Login}, nil
}

// caller reads the user behind the call. One that is gone is refused, as any
// credential without an owner, and a session of an account that is no longer the
// user's.
func (i identity) caller(ctx context.Context, call httpapi.Call) (user.User, error) {
	u, err := i.users.Get(ctx, call.Caller.User)
	if errors.Is(err, user.ErrNotFound) || err == nil && !u.Admits(call.Caller) {
		return user.User{}, access.Refuse(access.StepAccount, "the user is gone, or has no longer the account of the session")
	}
	return u, err
}
