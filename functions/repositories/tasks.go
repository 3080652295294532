package main

import (
	"context"
	"errors"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/background/task/taskview"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// listTasks returns the tasks that are about the installation, whoever started them,
// the newest first. It is for the installation's administrators.
func (r *repositories) listTasks(ctx context.Context, call httpapi.Call, page paging.Request) (paging.Results[taskview.Listed], error) {
	if err := r.administers(ctx, call); err != nil {
		return paging.Results[taskview.Listed]{}, err
	}
	return taskview.Page(ctx, r.tasks, task.OfInstallation(call.Installation), page, nil, call.Now)
}

// administers refuses a caller who does not decide about the installation at its
// host. That holds for the API keys of a person too. For a machine account, which has
// no account at any host, the operator's membership and the capability of the key
// decide.
func (r *repositories) administers(ctx context.Context, call httpapi.Call) error {
	in := call.Installation
	u, err := r.users.Get(ctx, call.Caller.User)
	if errors.Is(err, user.ErrNotFound) {
		return access.Refuse(access.StepAccount, "the user is gone")
	}
	if err != nil {
		return err
	}
	if call.Caller.Kind == access.KindAccessToken && len(u.Identities) == 0 {
		return nil
	}
	account, ok := u.Identities[in.VCS]
	if !ok {
		return access.Refuse(access.StepAccount, "the user has no account at %s", in.VCS)
	}
	namespace, err := r.namespace(ctx, in)
	if err != nil {
		return err
	}
	client, err := r.openHost(ctx, in)
	if err != nil {
		return err
	}
	decides, err := client.MayDecide(ctx, vcshost.Repository{Namespace: namespace}, vcshost.Profile{ID: account.ID, Login: account.Login})
	if err != nil {
		return vcshost.Fault(in.VCS, err)
	}
	if !decides {
		return access.Refuse(access.StepHost, "the user's account may not decide about the installation at %s", in.VCS)
	}
	return nil
}

// namespace returns what the host calls an installation where it says who decides
// about it: the group's id at GitLab, and the organisation's login at GitHub. The
// login is the name that deliveries state. An old or wrong name lets nobody in: the
// installation's client reads the members of its own organisation only.
func (r *repositories) namespace(ctx context.Context, in vcs.Installation) (string, error) {
	if in.VCS == vcs.GitLab {
		return string(in.ID), nil
	}
	known, err := r.names.Get(ctx, in)
	if errors.Is(err, fault.ErrNotFound) {
		return "", access.Refuse(access.StepHost, "the name of the installation is not known here")
	}
	return known.Name, err
}
