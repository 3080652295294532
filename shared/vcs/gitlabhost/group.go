package gitlabhost

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	gitlab "gitlab.com/gitlab-org/api/client-go"

	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Group is a GitLab group.
type Group struct {
	ID int64 `json:"id"`
	// FullName has the names of the groups around it, as in "Acme / Platform".
	FullName string `json:"full_name"`
	// FullPath has their paths, as in "acme/platform".
	FullPath string `json:"full_path"`
}

// complete answers what a group lacks that cannot be done without.
func (g Group) complete() error {
	if g.ID <= 0 {
		return errors.New("it has no id")
	}
	return nil
}

// MaxGroups bounds how many groups of a person are listed.
const MaxGroups = 10_000

// Groups lists the groups of which the token's owner is a member, by full name.
// Entries that cannot be read are left out, and logged. vcshost.ErrEndless,
// wrapped, where the list leads back.
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
			c.log.LogAttrs(ctx, slog.LevelWarn, "group left out of a person's list", slog.String("vcs", "gitlab"), slog.String("entry", each.String()))
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

// Group asks for one group, by its id or full path; vcshost.ErrGone if there is
// none that is visible. An answer without its id or full path is an error: what
// does not lie under a path that is not told must not be taken for another group's.
func (c *Client) Group(ctx context.Context, id string) (Group, error) {
	const doing = "read group"
	var g Group
	// Without it GitLab's present API answers up to 100 projects with the group.
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
