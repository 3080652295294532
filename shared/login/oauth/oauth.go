// Package oauth implements the OAuth 2.0 of GitHub Apps and GitLab applications:
// the authorization code grant with PKCE, and refresh tokens. Its invariant: no
// error holds a token, a code or a secret. Of a host's response, an error holds
// only the error code.
package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Timeout is the maximum time of one request to a host.
const Timeout = 8 * time.Second

// Client is our application at one host.
type Client struct {
	id        string
	secret    func(context.Context) (string, error)
	authorize string
	token     string
	scopes    []string
	http      *http.Client
}

// GitHub returns the client of our GitHub App. web is the web address of GitHub or
// of a GitHub Enterprise Server, without a trailing slash. secret is called for
// each use. The client requests no scope, because an App has its own permissions.
// GitHub supports PKCE since 2025; a server that does not support it ignores it.
func GitHub(web, id string, secret func(context.Context) (string, error)) *Client {
	return &Client{
		id: id, secret: secret, authorize: web + "/login/oauth/authorize", token: web + "/login/oauth/access_token",
		http: client(web),
	}
}

// GitLab returns the client of our application. web is the web address of a GitLab,
// without a trailing slash. The client requests the scope read_api, because the
// server only reads in the person's name: who the person is, and which role the
// person has in which groups.
func GitLab(web, id string, secret func(context.Context) (string, error)) *Client {
	return &Client{
		id: id, secret: secret, authorize: web + "/oauth/authorize", token: web + "/oauth/token", scopes: []string{"read_api"},
		http: client(web),
	}
}

// client returns an HTTP client that sends requests to one host only. A request
// holds our secret, and a redirect that keeps the body would send the secret to
// another host.
func client(web string) *http.Client {
	return &http.Client{Timeout: Timeout, Transport: vcshost.Confined(web, http.DefaultTransport)}
}

func (c *Client) config(redirect string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: c.id, RedirectURL: redirect, Scopes: c.scopes,
		Endpoint: oauth2.Endpoint{AuthURL: c.authorize, TokenURL: c.token, AuthStyle: oauth2.AuthStyleInParams},
	}
}

// AuthorizeURL returns the address at which a browser asks its person to authorize
// our application. The host sends the browser back to redirect, with the state.
// verifier has 43 to 128 characters: letters, digits and "-._~". Its hash is a part
// of the address.
func (c *Client) AuthorizeURL(state, verifier, redirect string) string {
	return c.config(redirect).AuthCodeURL(state, oauth2.S256ChallengeOption(verifier))
}

// Exchange returns the grant for a code. verifier and redirect are those of the
// call of AuthorizeURL. It returns grant.ErrRefused, wrapped, if the host does
// not accept them.
func (c *Client) Exchange(ctx context.Context, code, verifier, redirect string) (grant.Grant, error) {
	return c.ask(ctx, redirect, func(ctx context.Context, config *oauth2.Config) (*oauth2.Token, error) {
		return config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	})
}

// Refresh returns the next grant for a refresh token. After that the refresh token
// is no longer valid. Refresh is a grant.Refresher. Its errors are
// grant.ErrRefused or vcshost.ErrNoAnswer, wrapped, or the error of reading our
// own secret.
func (c *Client) Refresh(ctx context.Context, refresh string) (grant.Grant, error) {
	return c.ask(ctx, "", func(ctx context.Context, config *oauth2.Config) (*oauth2.Token, error) {
		return config.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh}).Token()
	})
}

func (c *Client) ask(ctx context.Context, redirect string, do func(context.Context, *oauth2.Config) (*oauth2.Token, error)) (grant.Grant, error) {
	secret, err := c.secret(ctx)
	if err != nil {
		return grant.Grant{}, fmt.Errorf("read client secret: %w", err)
	}
	config := c.config(redirect)
	config.ClientSecret = secret
	token, err := do(context.WithValue(ctx, oauth2.HTTPClient, c.http), config)
	if err != nil {
		return grant.Grant{}, c.describe(ctx, err)
	}
	given := grant.Grant{Access: token.AccessToken, Refresh: token.RefreshToken}
	if !token.Expiry.IsZero() {
		given.ExpiresAt = token.Expiry.UTC().Truncate(time.Second)
	}
	return given, nil
}

// refused are the error codes that say that the code or token in the request is not
// valid, or no longer valid. All other codes say that something is wrong with the
// application. invalid_grant is from RFC 6749, the others are GitHub's.
var refused = []string{"invalid_grant", "bad_verification_code", "bad_refresh_token", "expired_token", "unauthorized"}

// describe turns an error of the library into one without the host's own text,
// because that text might repeat what was sent.
func (c *Client) describe(ctx context.Context, err error) error {
	var response *oauth2.RetrieveError
	why := "no usable response"
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("ask %s: %w: %w", c.token, vcshost.ErrNoAnswer, ctx.Err())
	case errors.Is(err, vcshost.ErrElsewhere):
		why = vcshost.ErrElsewhere.Error()
	case !errors.As(err, &response):
	case slices.Contains(refused, response.ErrorCode):
		return fmt.Errorf("ask %s: %w: %s", c.token, grant.ErrRefused, response.ErrorCode)
	case len(response.ErrorCode) > 0:
		why = fmt.Sprintf("error %.60q", response.ErrorCode)
	case response.Response != nil:
		why = fmt.Sprintf("status %d", response.Response.StatusCode)
	}
	return fmt.Errorf("ask %s: %w: %s", c.token, vcshost.ErrNoAnswer, why)
}
