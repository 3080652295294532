package main

import (
	"context"
	"errors"
	"net/http"
	"regexp"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/repository"
	"github.com/opsplane/opsplane/shared/vcs/vcsevent"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// deletion names a repository.
type deletion struct {
	target vcs.Installation
	id     string
}

// An id of a host is a positive 64-bit number.
var idForm = regexp.MustCompile(`^[1-9][0-9]{0,18}$`)

func decodeDeletion(r *http.Request) (deletion, error) {
	target, err := decodeTarget(r)
	d := deletion{target: target, id: r.PathValue("repo_id")}
	if err == nil && !idForm.MatchString(d.id) {
		err = fault.Invalidf("INVALID_REPO_ID", "%.40q is not a repository's id; an id is a number, as in the list of repositories", d.id)
	}
	return d, err
}

// delete removes a repository and all that belongs to it, if the host has it
// archived and the caller rules over it there. What belongs to it is removed by
// the task that is answered; from the lists the repository is gone at once.
func (r *repositories) delete(ctx context.Context, call httpapi.Call, d deletion) (started, error) {
	in := d.target
	if _, err := r.known.Get(ctx, string(in.VCS), string(in.ID), d.id); errors.Is(err, fault.ErrNotFound) {
		return started{}, unknown(in, d.id)
	} else if err != nil {
		return started{}, err
	}
	account, err := r.account(ctx, call, string(in.VCS))
	if err != nil {
		return started{}, err
	}
	if err := r.allowed(ctx, d, account); err != nil {
		return started{}, err
	}
	version := vcsevent.Version{At: call.Now, Rank: vcsevent.RankRemoved}.Text(call.Now, call.Author().Request)
	removal := repository.RemovalTask(call.Caller.User, string(in.VCS), string(in.ID), d.id, version)
	author := call.Author()
	done, err := r.known.Remove(ctx, author, string(in.VCS), string(in.ID), d.id, version, r.tasks.Writes(author, removal))
	if err == nil && !done {
		err = fault.Busyf("CONTENDED", "the host has just sent news about the repository: try again")
	}
	return started{removal.ID}, err
}

func unknown(in vcs.Installation, id string) error {
	return fault.Invalidf("REPO_NOT_FOUND", "installation %s has no repository %s; if the repository is new, refresh the installation's repositories", in.ID, id)
}

// account is the caller's own at the host. A caller who has none is refused.
func (r *repositories) account(ctx context.Context, call httpapi.Call, vcs string) (user.Identity, error) {
	u, err := r.users.Get(ctx, call.Caller.User)
	if errors.Is(err, user.ErrNotFound) {
		return user.Identity{}, access.Refuse(access.StepAccount, "the user is gone")
	}
	if err != nil {
		return user.Identity{}, err
	}
	account, ok := u.Identities[vcs]
	if !ok {
		return user.Identity{}, access.Refuse(access.StepAccount, "the user has no account at %s", vcs)
	}
	return account, nil
}

// allowed asks the host. Who may not decide over the repository is not told how
// it stands with it.
func (r *repositories) allowed(ctx context.Context, d deletion, account user.Identity) error {
	host, in := r.hosts[string(d.target.VCS)], d.target
	if err := host.ready(ctx, string(in.ID)); err != nil {
		return err
	}
	archived, owner, err := host.archived(ctx, string(in.ID), d.id)
	if errors.Is(err, vcshost.ErrGone) {
		return fault.Invalidf("REPO_NOT_FOUND", "repository %s no longer exists at %s, or this server cannot see it there: refresh the installation's repositories, "+
			"which removes it here", d.id, vcshost.Names[string(in.VCS)])
	}
	if err != nil {
		return vcshost.Fault(string(in.VCS), err)
	}
	rules, err := host.rules(ctx, string(in.ID), owner, account)
	if err != nil {
		return vcshost.Fault(string(in.VCS), err)
	}
	if !rules {
		return access.Refuse(access.StepHost, "the user's account may not decide over the owner's repositories at %s", string(in.VCS))
	}
	if !archived {
		return fault.Invalidf("REPO_NOT_ARCHIVED", "repository %s is not archived at %s: archive it there first", d.id, vcshost.Names[string(in.VCS)])
	}
	return nil
}
