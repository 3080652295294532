package gitlabhost

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	gitlab "gitlab.com/gitlab-org/api/client-go"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Group is a GitLab group.
type Group struct {
	ID int64 `json:"id"`
	// FullName begins with the names of the parent groups: "Acme / Platform".
	FullName string `json:"full_name"`
	// FullPath begins with the paths of the parent groups: "acme/platform".
	FullPath string `json:"full_path"`
}

// complete returns an error if the group lacks a member that is needed.
func (g Group) complete() error {
	if g.ID <= 0 {
		return errors.New("it has no id")
	}
	return nil
}

// MaxGroups is the maximum number of groups that are listed for a person.
const MaxGroups = 10_000

// Groups returns the groups that the token's owner is a member of, sorted by full
// name. Entries that cannot be read are left out and logged. It returns
// vcshost.ErrEndless, wrapped, if the list leads back to an earlier page.
func (c *Client) Groups(ctx context.Context) ([]Group, error) {
	const doing = "list groups"
	guest := gitlab.GuestPermissions
	options := &gitlab.ListGroupsOptions{
		ListOptions: gitlab.ListOptions{PerPage: pageSize}, MinAccessLevel: &guest, OrderBy: gitlab.Ptr("id"), Sort: gitlab.Ptr("asc"),
	}
	var found []Group
	for page := 1; page != 0; {
		options.Page = int64(page)
		list, next, _, err := c.pageOf(ctx, doing, "groups", options, page)
		if err != nil {
			return nil, err
		}
		groups, odd := vcshost.Entries(list, Group.complete)
		for _, each := range odd {
			c.log.LogAttrs(ctx, slog.LevelWarn, "group left out of a person's list", slog.String("vcs", string(vcs.GitLab)), slog.String("entry", each.String()))
		}
		if found = append(found, groups...); len(found) > MaxGroups {
			return nil, fmt.Errorf("gitlab: more than %d groups", MaxGroups)
		}
		if page = next; page > MaxGroups/pageSize+1 {
			return nil, fmt.Errorf("gitlab: %s: %w: it has more than %d pages", doing, vcshost.ErrEndless, page-1)
		}
	}
	sortByName(found)
	return found, nil
}

// Group returns a group by its id or full path. It returns vcshost.ErrGone if the
// token can see no such group. A response without an id or a full path is an error:
// without the path, projects of the group would look like projects of others.
func (c *Client) Group(ctx context.Context, id string) (Group, error) {
	const doing = "read group"
	var g Group
	// Without this option, GitLab's API v4 sends up to 100 projects with the group.
	//lint:ignore SA1019 The library marks it as deprecated, as GitLab will drop it with the next API.
	options := &gitlab.GetGroupOptions{WithProjects: gitlab.Ptr(false)}
	if _, err := c.get(ctx, doing, "groups/"+gitlab.PathEscape(id), options, &g); err != nil {
		return Group{}, err
	}
	if err := g.complete(); err != nil {
		return Group{}, fmt.Errorf("gitlab: %s: %w", doing, err)
	}
	if g.FullPath == "" {
		return Group{}, fmt.Errorf("gitlab: %s: it has no full_path", doing)
	}
	return g, nil
}
