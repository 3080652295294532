package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// maxToken is the maximum length of a token, in bytes. GitLab's tokens have 26 to
// 64 characters, and administrators may add a prefix.
const maxToken = 500

// decodeAccessToken reads the token that the server is to use for the group.
func decodeAccessToken(r *http.Request) (string, error) {
	b := httpapi.NewBody(r)
	token := b.String("access_token")
	if err := b.Err(); err != nil {
		return "", err
	}
	if token == "" || len(token) > maxToken || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", unusable("it is not 1 to 500 printable characters without spaces")
	}
	return token, nil
}

func unusable(why string) error {
	return fault.Invalidf("INVALID_ACCESS_TOKEN", "the token is not stored: %s", why)
}

// putAccessToken stores a group's token and replaces an earlier one. First it
// checks at GitLab that the server can work with the token. Nobody can read the
// token back.
func (h *hosts) putAccessToken(ctx context.Context, call httpapi.Call, token string) (httpapi.Empty, error) {
	g, err := h.maintained(ctx, call)
	if err != nil {
		return httpapi.Empty{}, err
	}
	if err := h.try(ctx, call, token); err != nil {
		return httpapi.Empty{}, err
	}
	if _, err := h.know(ctx, call, g); err != nil {
		return httpapi.Empty{}, err
	}
	return httpapi.Empty{}, h.vcs.Tokens.Put(ctx, call.Installation.ID, token, call.Author())
}

// minAccessLevel is the lowest access level with which this server can do its work.
// It is the level of a developer, who starts pipelines, sets statuses and writes
// comments ("Roles and permissions", GitLab documentation).
const minAccessLevel = 30

// minRemainingLife is how long a token must still be valid when it is stored.
const minRemainingLife = 24 * time.Hour

// try uses the token at GitLab, to check that the server can work with it for the
// group of the call.
func (h *hosts) try(ctx context.Context, call httpapi.Call, token string) error {
	client, err := h.vcs.GitLab.As(token)
	if err != nil {
		return err
	}
	self, err := client.Self(ctx)
	switch {
	case vcshost.RefusesAddress(err):
		return vcshost.Fault(vcs.GitLab, err)
	case errors.Is(err, vcshost.ErrRefused):
		return unusable("GitLab does not take it: it is wrong, has expired, or was revoked")
	case errors.Is(err, vcshost.ErrGone), errors.Is(err, vcshost.ErrForbidden):
		return unusable("GitLab does not say what it may do: make a group access token (Settings > Access tokens) with the scope api")
	case err != nil:
		return vcshost.Fault(vcs.GitLab, err)
	case !slices.Contains(self.Scopes, "api"):
		return unusable("it lacks the scope api, and has " + strings.Join(self.Scopes, ", "))
	case !self.ExpiresAt.IsZero() && self.ExpiresAt.Before(call.Now.Add(minRemainingLife)):
		return unusable("it expires within a day")
	}
	return h.tryGroup(ctx, client, call.Installation.ID)
}

func (h *hosts) tryGroup(ctx context.Context, client *gitlabhost.Client, group vcs.ID) error {
	account, err := client.Whoami(ctx)
	if err != nil {
		return vcshost.Fault(vcs.GitLab, err)
	}
	_, err = client.Group(ctx, string(group))
	if errors.Is(err, vcshost.ErrGone) || errors.Is(err, vcshost.ErrForbidden) && !vcshost.RefusesAddress(err) {
		return unusable("it does not reach the group")
	}
	if err != nil {
		return vcshost.Fault(vcs.GitLab, err)
	}
	level, err := client.Level(ctx, group, account.ID)
	if err != nil {
		return vcshost.Fault(vcs.GitLab, err)
	}
	if level < minAccessLevel {
		return unusable("its account is not at least a developer of the group")
	}
	return nil
}
