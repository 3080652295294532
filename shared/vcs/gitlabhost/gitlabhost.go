// Package gitlabhost is the client of GitLab: gitlab.com, or another instance.
// Client sends requests with the token of a person or a group. Installation sends
// them with the token of its group. The invariants of the package:
//
//   - No error holds a token. Of the text of a response, an error holds only the
//     text of a vcshost.Refusal.
//   - No token is sent to another origin.
//   - No call waits longer than its context.
//   - If GitLab limits requests, the error says for how long.
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
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Maintainer is the lowest access level that allows a member to change what this
// server does for a group ("Roles and permissions", GitLab documentation).
const Maintainer = 40

// Host is one GitLab. It may be used by several goroutines.
type Host struct {
	api  string
	http *http.Client
}

// New returns the client of the GitLab at an API address without the version, such as
// "https://gitlab.com/api".
func New(api string) *Host {
	return &Host{
		api:  strings.TrimRight(api, "/") + "/v4",
		http: &http.Client{Transport: bounded{vcshost.Transport(api)}},
	}
}

// Client is the client for one token.
type Client struct {
	gitlab *gitlab.Client
	log    *slog.Logger
}

// As returns the client for a token of any kind: a token of a login, a group, a
// project or a person. GitLab accepts all of them as bearer tokens.
func (h *Host) As(token string) (*Client, error) {
	source := gitlab.OAuthTokenSource{TokenSource: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: token})}
	c, err := gitlab.NewAuthSourceClient(source, gitlab.WithBaseURL(h.api), gitlab.WithHTTPClient(h.http),
		gitlab.WithoutRetries(), gitlab.WithCustomLimiter(unlimited{}))
	if err != nil {
		return nil, fmt.Errorf("gitlab: address %s is not usable", h.api)
	}
	return &Client{gitlab: c, log: telemetry.Logger()}, nil
}

// unlimited replaces the library's limiter, which would first ask the host for its
// limits. That request is not needed: the host's responses state the limits.
type unlimited struct{}

// Wait implements gitlab.RateLimiter.
func (unlimited) Wait(context.Context) error { return nil }

// Whoami returns the account that the token belongs to.
func (c *Client) Whoami(ctx context.Context) (vcshost.Profile, error) {
	var u struct {
		ID        int64  `json:"id"`
		Username  string `json:"username"`
		AvatarURL string `json:"avatar_url"`
	}
	const doing = "find the account of a token"
	if _, err := c.get(ctx, doing, "user", nil, &u); err != nil {
		return vcshost.Profile{}, err
	}
	found := vcshost.Profile{ID: vcs.ID(strconv.FormatInt(u.ID, 10)), Login: u.Username, AvatarURL: u.AvatarURL}
	if err := found.Check(); err != nil {
		return vcshost.Profile{}, fmt.Errorf("gitlab: %s: %w", doing, err)
	}
	return found, nil
}

// Token is what GitLab states about an access token.
type Token struct {
	// Scopes say what the token may be used for, such as "api".
	Scopes []string
	// ExpiresAt is the beginning of the day on which the token ends. It is zero if
	// the token does not end.
	ExpiresAt time.Time
}

// Self returns what GitLab states about the client's own token: an access token of
// a person, a group or a project. It returns vcshost.ErrGone for a token of another
// kind.
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

// Level returns the access level of an account in a group, direct or through a
// parent group. It is 0 if the account is not a member, or not an active one.
func (c *Client) Level(ctx context.Context, group, account vcs.ID) (int, error) {
	return c.level(ctx, c.gitlab.GroupMembers.GetInheritedGroupMember, string(group), account)
}

type memberOf func(any, int64, ...gitlab.RequestOptionFunc) (*gitlab.GroupMember, *gitlab.Response, error)

// level returns the access level of an account in a group, which is named by its id or
// full path.
func (c *Client) level(ctx context.Context, ask memberOf, group string, account vcs.ID) (int, error) {
	id, err := strconv.ParseInt(string(account), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("gitlab: account %q is not a 64-bit number", account)
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
