package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/repository"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// site is a repository that a caller may give commands for.
type site struct {
	repository.Repository
	of   vcs.Repository
	host host
	// name is the name of the caller, as runs show it. account is that of a person; it is
	// zero for a machine account.
	name    string
	account vcshost.Profile
}

func (s site) described() vcs.Description {
	return vcs.Description{ID: s.ID, Owner: s.Owner, Name: s.Name}
}

// decodeRepository returns the repository's id.
func decodeRepository(r *http.Request) (vcs.ID, error) {
	id := vcs.ID(r.PathValue("repo_id"))
	if !id.Valid() {
		return "", fault.Invalidf("INVALID_REPO_ID", "%.40q is not a repository's id; it is a number, as the list of repositories has it", id)
	}
	return id, nil
}

// enter returns a repository of the installation. It refuses a caller who may not give
// commands for it.
//
// A person needs the permission to write in the repository, and the host is asked in
// each request. That holds for the API keys of a person too: otherwise a member who
// may only read could make a key that applies. For a machine account, which has no
// account at any host, the operator's membership and the capabilities of the key
// decide.
func (c *commands) enter(ctx context.Context, call httpapi.Call, id vcs.ID) (site, error) {
	s := site{of: call.Installation.Repository(id)}
	var err error
	if s.Repository, err = c.known.Get(ctx, s.of); errors.Is(err, fault.ErrNotFound) {
		return s, fault.Invalidf("REPO_NOT_FOUND", "installation %s has no repository %s; if the repository is new, refresh the installation's repositories", s.of.Installation.ID, id)
	} else if err != nil {
		return s, err
	}
	u, err := c.users.Get(ctx, call.Caller.User)
	if errors.Is(err, user.ErrNotFound) {
		return s, access.Refuse(access.StepAccount, "the user is gone")
	}
	if err != nil {
		return s, err
	}
	account, ok := u.Identities[call.VCS]
	if !ok && (call.Caller.Kind == access.KindSession || len(u.Identities) > 0) {
		return s, access.Refuse(access.StepAccount, "the user has no account at %s", call.VCS)
	}
	if s.host, err = c.openHost(ctx, s.of.Installation); err != nil {
		return s, err
	}
	if s.name = u.Name; !ok {
		return s, nil
	}
	s.name, s.account = account.Login, vcshost.Profile{ID: account.ID, Login: account.Login}
	writes, err := s.host.MayWrite(ctx, s.described(), s.account)
	if err != nil {
		return s, vcshost.Fault(call.VCS, err)
	}
	if !writes {
		return s, access.Refuse(access.StepHost, "the user's account may not write in the repository at %s", call.VCS)
	}
	return s, nil
}
