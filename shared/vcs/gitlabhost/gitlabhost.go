// Package gitlabhost asks GitLab, gitlab.com or one of somebody's own, with the
// token of a person or a group. Its invariants: no error holds a token, or a word
// of an answer but those of a vcshost.Refusal; no token goes to another origin; no
// call waits longer than its context; and where GitLab asks for patience the caller
// is told for how long.
package gitlabhost

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go"
	"golang.org/x/oauth2"

	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
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
		http: &http.Client{Transport: bounded{vcshost.Transport(api)}},
	}
}

// Client asks with one token.
type Client struct {
	gitlab *gitlab.Client
	log    *slog.Logger
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
	return &Client{gitlab: c, log: telemetry.Logger()}, nil
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
	var u struct {
		ID        int64  `json:"id"`
		Username  string `json:"username"`
		AvatarURL string `json:"avatar_url"`
	}
	if _, err := c.get(ctx, "ask whose token it is", "user", nil, &u); err != nil {
		return Account{}, err
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
	const doing = "ask what the token is"
	t, _, err := c.gitlab.PersonalAccessTokens.GetSinglePersonalAccessToken(gitlab.WithContext(ctx))
	if err != nil {
		return Token{}, explain(ctx, doing, err)
	}
	if t.Scopes == nil {
		return Token{}, fmt.Errorf("gitlab: %s: the answer has no scopes", doing)
	}
	found := Token{Scopes: t.Scopes}
	if t.ExpiresAt != nil {
		found.ExpiresAt = time.Time(*t.ExpiresAt)
	}
	return found, nil
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
	const doing = "read membership"
	m, _, err := ask(group, id, gitlab.WithContext(ctx))
	switch err = explain(ctx, doing, err); {
	case isGone(err):
		return 0, nil
	case err != nil:
		return 0, err
	case m.ID != id || m.State == "":
		return 0, fmt.Errorf("gitlab: %s: the answer does not have the member's id and state", doing)
	case m.State != "active":
		return 0, nil
	}
	return int(m.AccessLevel), nil
}
