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

// decodeRepository returns the repository's id.
func decodeRepository(r *http.Request) (vcs.ID, error) {
	id := vcs.ID(r.PathValue("repo_id"))
	if !id.Valid() {
		return "", fault.Invalidf("INVALID_REPO_ID", "%.40q is not a repository's id; it is a number, as the list of repositories has it", id)
	}
	return id, nil
}

// delete removes a repository and all that belongs to it. The repository must be
// archived at the host, and the caller's account must be allowed to decide about it
// there. From now on the repository is not listed. The returned task removes what
// belongs to it.
func (r *repositories) delete(ctx context.Context, call httpapi.Call, id vcs.ID) (started, error) {
	of := call.Installation.Repository(id)
	if _, err := r.known.Get(ctx, of); errors.Is(err, fault.ErrNotFound) {
		return started{}, fault.Invalidf("REPO_NOT_FOUND", "installation %s has no repository %s; if the repository is new, refresh the installation's repositories", of.Installation.ID, of.ID)
	} else if err != nil {
		return started{}, err
	}
	account, err := r.account(ctx, call, of.Installation.VCS)
	if err != nil {
		return started{}, err
	}
	if err := r.allowed(ctx, of, account); err != nil {
		return started{}, err
	}
	author := call.Author()
	version := vcs.Moment{At: call.Now, Rank: vcs.RankRemoved}.Version(call.Now, author.Request)
	removal := repository.RemovalTask(call.Caller.User, of, version)
	done, err := r.known.Remove(ctx, author, of, version, r.tasks.Writes(author, removal))
	if err == nil && !done {
		err = fault.Busyf("CONTENDED", "the host has just sent news about the repository: try again")
	}
	return started{removal.ID}, err
}

// account returns the caller's own account at the host. A caller without an account
// there is refused.
func (r *repositories) account(ctx context.Context, call httpapi.Call, system vcs.VCS) (user.Identity, error) {
	u, err := r.users.Get(ctx, call.Caller.User)
	if errors.Is(err, user.ErrNotFound) {
		return user.Identity{}, access.Refuse(access.StepAccount, "the user is gone")
	}
	if err != nil {
		return user.Identity{}, err
	}
	account, ok := u.Identities[system]
	if !ok {
		return user.Identity{}, access.Refuse(access.StepAccount, "the user has no account at %s", system)
	}
	return account, nil
}

// allowed asks the host whether the account may delete the repository. The right is
// checked first, so that a caller without it does not learn whether the repository
// is archived.
func (r *repositories) allowed(ctx context.Context, of vcs.Repository, account user.Identity) error {
	in := of.Installation
	client, err := r.openHost(ctx, in)
	if err != nil {
		return err
	}
	found, err := client.Repository(ctx, of.ID)
	if errors.Is(err, vcshost.ErrGone) {
		return fault.Invalidf("REPO_NOT_FOUND", "repository %s no longer exists at %s, or this server cannot see it there: refresh the installation's repositories, "+
			"which removes it here", of.ID, in.VCS.Label())
	}
	if err != nil {
		return vcshost.Fault(in.VCS, err)
	}
	decides, err := client.MayDecide(ctx, found, vcshost.Profile{ID: account.ID, Login: account.Login})
	if err != nil {
		return vcshost.Fault(in.VCS, err)
	}
	if !decides {
		return access.Refuse(access.StepHost, "the user's account may not decide about the owner's repositories at %s", in.VCS)
	}
	if found.Archived == nil || !*found.Archived {
		return fault.Invalidf("REPO_NOT_ARCHIVED", "repository %s is not archived at %s: archive it there first", of.ID, in.VCS.Label())
	}
	return nil
}
