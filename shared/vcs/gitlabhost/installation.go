package gitlabhost

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	gitlab "gitlab.com/gitlab-org/api/client-go"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Installation is the client of one installation: one group, with the group's own
// token. It may be used by several goroutines.
type Installation struct {
	*Client
	group vcs.ID

	mu  sync.Mutex
	own vcs.ID // the account of the token; empty until it is read
}

// Open returns the client of a group with the group's token. It sends no request:
// only the first request shows whether the group exists and the token is good.
func (h *Host) Open(group vcs.ID, token string) (*Installation, error) {
	c, err := h.As(token)
	if err != nil {
		return nil, err
	}
	return &Installation{Client: c, group: group}, nil
}

// Repositories returns a page of the projects of the group and of the groups within
// it. page counts from 1. size is the maximum number of projects on a page, 1 to
// 100. It returns vcshost.ErrEndless, wrapped, if the list leads back to an earlier
// page.
func (i *Installation) Repositories(ctx context.Context, page, size int) (vcshost.RepositoryPage, error) {
	options := &gitlab.ListGroupProjectsOptions{
		ListOptions:      gitlab.ListOptions{PerPage: int64(size), Page: int64(page)},
		IncludeSubGroups: gitlab.Ptr(true), WithShared: gitlab.Ptr(false), OrderBy: gitlab.Ptr("id"), Sort: gitlab.Ptr("asc"),
	}
	list, next, total, err := i.pageOf(ctx, "list projects", "groups/"+gitlab.PathEscape(string(i.group))+"/projects", options, page)
	if err != nil {
		return vcshost.RepositoryPage{}, err
	}
	entries, odd := vcshost.Entries(list, project.complete)
	found := vcshost.RepositoryPage{Next: next, Total: total, Odd: odd} // 0 above 10,000 projects: GitLab does not count further
	for _, p := range entries {
		found.Repositories = append(found.Repositories, p.read())
	}
	return found, nil
}

// Repository returns a project by its id. It may be a public project of another
// account. OwnRepository returns only projects of the group. Repository returns
// vcshost.ErrGone if the token can see no such project.
func (i *Installation) Repository(ctx context.Context, id vcs.ID) (vcshost.Repository, error) {
	const doing = "read project"
	var p project
	if _, err := i.get(ctx, doing, "projects/"+gitlab.PathEscape(string(id)), nil, &p); err != nil {
		return vcshost.Repository{}, err
	}
	if err := p.complete(); err != nil {
		return vcshost.Repository{}, fmt.Errorf("gitlab: %s: %w", doing, err)
	}
	return p.read(), nil
}

// OwnRepository returns a project of the group, or of a group within it, by its id.
// It returns vcshost.ErrGone if there is no such project. It returns
// vcshost.ErrUnreachable, wrapped, if the token cannot read the group itself: then
// a project that the token cannot see may exist.
func (i *Installation) OwnRepository(ctx context.Context, id vcs.ID) (vcshost.Repository, error) {
	group, err := i.Group(ctx, string(i.group))
	if err != nil {
		return vcshost.Repository{}, fmt.Errorf("%w: %w", vcshost.ErrUnreachable, err)
	}
	r, err := i.Repository(ctx, id)
	if err == nil && !strings.HasPrefix(r.Owner+"/"+r.Name, group.FullPath+"/") {
		return vcshost.Repository{}, fmt.Errorf("gitlab: read project: it is of another group: %w", vcshost.ErrGone)
	}
	return r, err
}

// HasWorkflow returns nil: GitLab has no workflow file.
func (i *Installation) HasWorkflow(context.Context, vcs.Description) (*bool, error) { return nil, nil }

// MayDecide reports whether an account is a direct member, as maintainer or owner,
// of the group that a project lies in. It returns false for a project of a person.
func (i *Installation) MayDecide(ctx context.Context, r vcshost.Repository, account vcshost.Profile) (bool, error) {
	if r.Namespace == "" {
		return false, nil
	}
	level, err := i.level(ctx, i.gitlab.GroupMembers.GetGroupMember, r.Namespace, account.ID)
	return level >= Maintainer, err
}

// IsMember reports whether the account that the group's token belongs to is a
// member of the group, direct or through a parent group. It returns
// vcshost.ErrRefused if GitLab does not accept the token. If GitLab accepts the token
// for the first request and refuses it for the second, the token ended in between.
// Another one may be stored by then, so IsMember returns vcshost.ErrNoAnswer: the
// caller may ask again.
func (i *Installation) IsMember(ctx context.Context) (bool, error) {
	account, err := i.Whoami(ctx)
	if err != nil {
		return false, err
	}
	level, err := i.Level(ctx, i.group, account.ID)
	if errors.Is(err, vcshost.ErrRefused) {
		return false, fmt.Errorf("%w: the token ended between two requests: %v", vcshost.ErrNoAnswer, err)
	}
	return level > 0, err
}

// project is what GitLab states about a project.
type project struct {
	ID                int64  `json:"id"`
	PathWithNamespace string `json:"path_with_namespace"`
	Namespace         struct {
		ID   int64  `json:"id"`
		Kind string `json:"kind"`
	} `json:"namespace"`
	DefaultBranch string `json:"default_branch"`
	Archived      bool   `json:"archived"`
	Visibility    string `json:"visibility"`
}

// complete returns an error if the project lacks a member that is needed.
func (p project) complete() error {
	owner, name, _ := strings.Cut(p.PathWithNamespace, "/")
	switch {
	case p.ID <= 0:
		return errors.New("it has no id")
	case owner == "" || name == "":
		return errors.New("its path_with_namespace names no group and project")
	}
	return nil
}

// read returns the project as a repository. Its owner is the top-level group or the
// person. Its name is the rest of the path.
func (p project) read() vcshost.Repository {
	owner, name, _ := strings.Cut(p.PathWithNamespace, "/")
	private := p.Visibility != string(gitlab.PublicVisibility)
	found := vcshost.Repository{MembersOnly: p.Visibility == string(gitlab.PrivateVisibility), Description: vcs.Description{
		ID: vcs.ID(fmt.Sprint(p.ID)), Owner: owner, Name: name, DefaultBranch: p.DefaultBranch, Archived: &p.Archived, Private: &private,
	}}
	if p.Namespace.Kind == "group" {
		found.Namespace = fmt.Sprint(p.Namespace.ID)
	}
	return found
}
