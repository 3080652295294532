package main

import (
	"context"
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
	ID  string    `json:"id"`
	VCS []vcs.VCS `json:"vcs"`
}

// account is who the caller is at a VCS.
type account struct {
	AvatarURL string `json:"avatar_url,omitempty"`
	Username  string `json:"username"`
}

// whoami returns the caller's id and the VCSs that know it, without those that
// the credential's restrictions exclude. It records the use of a session, because
// a console calls it on every start.
func (i identity) whoami(ctx context.Context, call httpapi.Call, _ struct{}) (self, error) {
	if err := i.see(ctx, call); err != nil {
		return self{}, err
	}
	u, err := i.users.Admitted(ctx, call.Caller)
	if err != nil {
		return self{}, err
	}
	vcss := u.VCSs()
	if allowed := call.Caller.Capabilities.VCSs(); len(allowed) > 0 {
		vcss = slices.DeleteFunc(vcss, func(known vcs.VCS) bool { return !slices.Contains(allowed, known) })
	}
	return self{ID: u.ID, VCS: vcss}, nil
}

// whoamiAt returns the caller's name at a VCS. It refuses a caller that the VCS
// does not know.
func (i identity) whoamiAt(ctx context.Context, call httpapi.Call, _ struct{}) (account, error) {
	u, err := i.users.Admitted(ctx, call.Caller)
	if err != nil {
		return account{}, err
	}
	known, ok := u.Login(call.VCS)
	if !ok {
		return account{}, access.Refuse(access.StepAccount, "the user has no account at %s", call.VCS)
	}
	return account{AvatarURL: known.AvatarURL, Username: known.Login}, nil
}
