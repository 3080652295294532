// Package gitlabhost asks GitLab, gitlab.com or one of somebody's own, with the
// token of a person or a group. Its invariants: no error holds a token or a word
// of an answer; no call waits longer than its context; and where GitLab asks for
// patience the caller is told for how long.
package gitlabhost

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go"
	"golang.org/x/oauth2"

	"github.com/opsplane/opsplane/shared/vcshost"
)

// Maintainer is the access level from which on a member may change what the
// server does for a group ("Roles and permissions", GitLab documentation).
const Maintainer = 40

// Host is one GitLab. It may be used by several goroutines.
type Host struct {
	api  string
	http *http.Client
}

// New returns the GitLab at an API address without the version, such as
// "https://gitlab.com/api".
func New(api string) *Host {
	return &Host{
		api:  strings.TrimRight(api, "/") + "/v4",
		http: &http.Client{Transport: bounded{vcshost.Transport()}},
	}
}

// Client asks with one token.
type Client struct {
	gitlab *gitlab.Client
}

// As returns a client with a token of any kind: that of a login, of a group, of
// a project or of a person. GitLab takes all of them as bearers.
func (h *Host) As(token string) (*Client, error) {
	source := gitlab.OAuthTokenSource{TokenSource: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: token})}
	c, err := gitlab.NewAuthSourceClient(source, gitlab.WithBaseURL(h.api), gitlab.WithHTTPClient(h.http),
		gitlab.WithoutRetries(), gitlab.WithCustomLimiter(unlimited{}))
	if err != nil {
		return nil, fmt.Errorf("gitlab: address %s is not usable", h.api)
	}
	return &Client{gitlab: c}, nil
}

// unlimited takes the place of the library's limiter, which would ask the host
// for its limits first: the host's own answers are enough.
type unlimited struct{}

// Wait implements gitlab.RateLimiter.
func (unlimited) Wait(context.Context) error { return nil }

// Account is a person or a bot.
type Account struct {
	// ID is GitLab's id of it, decimal digits.
	ID                  string
	Username, AvatarURL string
}

// Whoami answers whose token it is.
func (c *Client) Whoami(ctx context.Context) (Account, error) {
	u, _, err := c.gitlab.Users.CurrentUser(gitlab.WithContext(ctx))
	if err != nil {
		return Account{}, explain(ctx, "ask whose token it is", err)
	}
	return Account{ID: strconv.FormatInt(u.ID, 10), Username: u.Username, AvatarURL: u.AvatarURL}, nil
}

// Token is what GitLab says of an access token.
type Token struct {
	// Scopes are what it may be used for, such as "api".
	Scopes []string
	// ExpiresAt is the beginning of the day on which it ends; zero if it does not.
	ExpiresAt time.Time
}

// Self answers what the token itself is: that of a person, a group or a project.
// vcshost.ErrGone for a token of another kind.
func (c *Client) Self(ctx context.Context) (Token, error) {
	t, _, err := c.gitlab.PersonalAccessTokens.GetSinglePersonalAccessToken(gitlab.WithContext(ctx))
	if err != nil {
		return Token{}, explain(ctx, "ask what the token is", err)
	}
	found := Token{Scopes: t.Scopes}
	if t.ExpiresAt != nil {
		found.ExpiresAt = time.Time(*t.ExpiresAt)
	}
	return found, nil
}

// Group is a GitLab group.
type Group struct {
	ID int64
	// FullName has the names of the groups around it, as in "Acme / Platform".
	FullName string
	// FullPath has their paths, as in "acme/platform".
	FullPath string
}

const (
	pageSize = 100
	// MaxGroups bounds how many groups of a person are listed.
	MaxGroups = 10_000
)

// Groups lists the groups of which the token's owner is a member, by full name.
func (c *Client) Groups(ctx context.Context) ([]Group, error) {
	guest := gitlab.GuestPermissions
	opt := &gitlab.ListGroupsOptions{
		ListOptions: gitlab.ListOptions{PerPage: pageSize, Page: 1}, MinAccessLevel: &guest, OrderBy: gitlab.Ptr("id"), Sort: gitlab.Ptr("asc"),
	}
	var found []Group
	for opt.Page != 0 {
		list, answer, err := c.gitlab.Groups.ListGroups(opt, gitlab.WithContext(ctx))
		if err != nil {
			return nil, explain(ctx, "list groups", err)
		}
		for _, g := range list {
			found = append(found, Group{ID: g.ID, FullName: g.FullName, FullPath: g.FullPath})
		}
		if len(found) > MaxGroups {
			return nil, fmt.Errorf("gitlab: more than %d groups", MaxGroups)
		}
		opt.Page = answer.NextPage
	}
	sortByName(found)
	return found, nil
}

// Group asks for one group; vcshost.ErrGone if there is none that is visible.
func (c *Client) Group(ctx context.Context, id string) (Group, error) {
	//lint:ignore SA1019 Without it GitLab's present API answers up to 100 projects with the group.
	g, _, err := c.gitlab.Groups.GetGroup(id, &gitlab.GetGroupOptions{WithProjects: gitlab.Ptr(false)}, gitlab.WithContext(ctx))
	if err != nil {
		return Group{}, explain(ctx, "read group", err)
	}
	return Group{ID: g.ID, FullName: g.FullName, FullPath: g.FullPath}, nil
}

// Level answers the access level of an account in a group, direct or by the
// groups around it: 0 for who is no member, or no active one.
func (c *Client) Level(ctx context.Context, group, account string) (int, error) {
	return c.level(ctx, c.gitlab.GroupMembers.GetInheritedGroupMember, group, account)
}

// DirectLevel is Level, of direct members alone.
func (c *Client) DirectLevel(ctx context.Context, group, account string) (int, error) {
	return c.level(ctx, c.gitlab.GroupMembers.GetGroupMember, group, account)
}

type memberOf func(any, int64, ...gitlab.RequestOptionFunc) (*gitlab.GroupMember, *gitlab.Response, error)

func (c *Client) level(ctx context.Context, ask memberOf, group, account string) (int, error) {
	id, err := strconv.ParseInt(account, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("gitlab: account %q is no number", account)
	}
	m, _, err := ask(group, id, gitlab.WithContext(ctx))
	switch err = explain(ctx, "read membership", err); {
	case isGone(err):
		return 0, nil
	case err != nil:
		return 0, err
	case m.State != "active":
		return 0, nil
	}
	return int(m.AccessLevel), nil
}

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
	p, _, err := c.gitlab.Projects.GetProject(id, nil, gitlab.WithContext(ctx))
	if err != nil {
		return Project{}, explain(ctx, "read project", err)
	}
	return read(p), nil
}

// Page is a part of the projects of a group.
type Page struct {
	Projects []Project
	// Next is the next page's number; 0 after the last.
	Next int
	// Total is how many projects all pages have; 0 for more than 10,000, which
	// GitLab does not count.
	Total int
}

// Projects answers a page, from 1 on, of the projects of a group and the groups
// within it.
func (c *Client) Projects(ctx context.Context, group string, page int) (Page, error) {
	list, answer, err := c.gitlab.Groups.ListGroupProjects(group, &gitlab.ListGroupProjectsOptions{
		ListOptions:      gitlab.ListOptions{PerPage: pageSize, Page: int64(page)},
		IncludeSubGroups: gitlab.Ptr(true), WithShared: gitlab.Ptr(false), OrderBy: gitlab.Ptr("id"), Sort: gitlab.Ptr("asc"),
	}, gitlab.WithContext(ctx))
	if err != nil {
		return Page{}, explain(ctx, "list projects", err)
	}
	found := Page{Next: int(answer.NextPage), Total: int(answer.TotalItems), Projects: make([]Project, len(list))}
	for i, p := range list {
		found.Projects[i] = read(p)
	}
	return found, nil
}

func read(p *gitlab.Project) Project {
	owner, name, _ := strings.Cut(p.PathWithNamespace, "/")
	found := Project{
		ID: strconv.FormatInt(p.ID, 10), Owner: owner, Name: name, DefaultBranch: p.DefaultBranch,
		Archived: p.Archived, Private: p.Visibility != gitlab.PublicVisibility,
	}
	if p.Namespace != nil && p.Namespace.Kind == "group" {
		found.Group = strconv.FormatInt(p.Namespace.ID, 10)
	}
	for _, at := range []*time.Time{p.UpdatedAt, p.LastActivityAt} {
		if at != nil && at.After(found.UpdatedAt) {
			found.UpdatedAt = at.UTC()
		}
	}
	return found
}
