package gitlabhost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go"

	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Project is a GitLab project.
type Project struct {
	// ID is GitLab's id of it, decimal digits.
	ID string
	// Owner is the group at the top, or the person; Name is the rest of the path,
	// which has slashes where the project lies in a group within that one.
	Owner, Name string
	// Group is the id of the group that it lies in, decimal digits; empty for a
	// project of a person.
	Group             string
	DefaultBranch     string
	Archived, Private bool
	// UpdatedAt is when it last changed, as far as GitLab tells.
	UpdatedAt time.Time
}

// Project asks for one project; vcshost.ErrGone if there is none that is
// visible.
func (c *Client) Project(ctx context.Context, id string) (Project, error) {
	const doing = "read project"
	var p project
	if _, err := c.get(ctx, doing, "projects/"+gitlab.PathEscape(id), nil, &p); err != nil {
		return Project{}, err
	}
	if err := p.complete(); err != nil {
		return Project{}, fmt.Errorf("gitlab: %s: %w", doing, err)
	}
	return p.read(), nil
}

// Page is a part of the projects of a group.
type Page struct {
	Projects []Project
	// Odd are the entries of the part that cannot be read.
	Odd []vcshost.Odd
	// Next is the next page's number; 0 after the last.
	Next int
	// Total is how many projects all pages have; 0 for more than 10,000, which
	// GitLab does not count.
	Total int
}

// Projects answers a page, from 1 on, of the projects of a group and the groups
// within it. vcshost.ErrEndless, wrapped, where the list leads back.
func (c *Client) Projects(ctx context.Context, group string, page int) (Page, error) {
	options := &gitlab.ListGroupProjectsOptions{
		ListOptions:      gitlab.ListOptions{PerPage: pageSize, Page: int64(page)},
		IncludeSubGroups: gitlab.Ptr(true), WithShared: gitlab.Ptr(false), OrderBy: gitlab.Ptr("id"), Sort: gitlab.Ptr("asc"),
	}
	list, next, total, err := c.pageOf(ctx, "list projects", "groups/"+gitlab.PathEscape(group)+"/projects", options, page)
	if err != nil {
		return Page{}, err
	}
	entries, odd := vcshost.Entries(list, project.complete)
	found := Page{Next: next, Total: total, Odd: odd}
	for _, p := range entries {
		found.Projects = append(found.Projects, p.read())
	}
	return found, nil
}

// project is one as GitLab tells of it.
type project struct {
	ID                int64  `json:"id"`
	PathWithNamespace string `json:"path_with_namespace"`
	Namespace         struct {
		ID   int64  `json:"id"`
		Kind string `json:"kind"`
	} `json:"namespace"`
	DefaultBranch  string `json:"default_branch"`
	Archived       bool   `json:"archived"`
	Visibility     string `json:"visibility"`
	UpdatedAt      lax    `json:"updated_at"`
	LastActivityAt lax    `json:"last_activity_at"`
}

// complete answers what a project lacks that cannot be done without.
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

func (p project) read() Project {
	owner, name, _ := strings.Cut(p.PathWithNamespace, "/")
	found := Project{
		ID: strconv.FormatInt(p.ID, 10), Owner: owner, Name: name, DefaultBranch: p.DefaultBranch,
		Archived: p.Archived, Private: p.Visibility != string(gitlab.PublicVisibility),
	}
	if p.Namespace.Kind == "group" {
		found.Group = strconv.FormatInt(p.Namespace.ID, 10)
	}
	for _, at := range []lax{p.UpdatedAt, p.LastActivityAt} {
		if time.Time(at).After(found.UpdatedAt) {
			found.UpdatedAt = time.Time(at).UTC()
		}
	}
	return found
}

// lax is a time that is zero where it is not told well: nothing depends on it.
type lax time.Time

// UnmarshalJSON implements json.Unmarshaler.
func (l *lax) UnmarshalJSON(text []byte) error {
	var at time.Time
	if json.Unmarshal(text, &at) == nil {
		*l = lax(at)
	}
	return nil
}
