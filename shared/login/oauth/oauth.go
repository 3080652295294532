// Package oauth speaks the OAuth 2.0 of GitHub Apps and GitLab applications:
// the authorization code grant with PKCE, and refresh tokens. Its invariant: no
// error holds a token, a code, a secret, or a word of a host's answer beside the
// error's code.
package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Timeout bounds one request to a host.
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

// GitHub is our GitHub App at the web address of GitHub or of a GitHub
// Enterprise Server, without a trailing slash. The secret is asked for on each
// use. An App's rights are its own, so that it asks for no scope. GitHub knows
// PKCE since 2025; a server that does not ignores it.
func GitHub(web, id string, secret func(context.Context) (string, error)) *Client {
	return &Client{
		id: id, secret: secret, authorize: web + "/login/oauth/authorize", token: web + "/login/oauth/access_token",
		http: client(web),
	}
}

// GitLab is our application at the web address of a GitLab, without a trailing
// slash. It asks for the scope read_api: in the person's name the server only reads,
// namely who the person is and which groups it has what role in.
func GitLab(web, id string, secret func(context.Context) (string, error)) *Client {
	return &Client{
		id: id, secret: secret, authorize: web + "/oauth/authorize", token: web + "/oauth/token", scopes: []string{"read_api"},
		http: client(web),
	}
}

// client asks one host alone: what it is sent has our secret, which follows a
// redirect that keeps the body.
func client(web string) *http.Client {
	return &http.Client{Timeout: Timeout, Transport: vcshost.Confined(web, http.DefaultTransport)}
}

func (c *Client) config(redirect string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: c.id, RedirectURL: redirect, Scopes: c.scopes,
		Endpoint: oauth2.Endpoint{AuthURL: c.authorize, TokenURL: c.token, AuthStyle: oauth2.AuthStyleInParams},
	}
}

// AuthorizeURL is where a browser asks its person for a grant. The host sends it
// back to redirect, with the state. The verifier has 43 to 128 letters, digits,
// or one of "-._~"; its hash goes with the address.
func (c *Client) AuthorizeURL(state, verifier, redirect string) string {
	return c.config(redirect).AuthCodeURL(state, oauth2.S256ChallengeOption(verifier))
}

// Exchange answers the grant for a code. Verifier and redirect are those of its
// AuthorizeURL. session.ErrRefused, wrapped, if the host does not take them.
func (c *Client) Exchange(ctx context.Context, code, verifier, redirect string) (session.Grant, error) {
	return c.ask(ctx, redirect, func(ctx context.Context, config *oauth2.Config) (*oauth2.Token, error) {
		return config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	})
}

// Refresh answers the next grant for a refresh token, which is good for nothing
// afterwards. It is a session.Refresher. Its errors are session.ErrRefused or
// vcshost.ErrNoAnswer, wrapped, but for those of reading our own secret.
func (c *Client) Refresh(ctx context.Context, refresh string) (session.Grant, error) {
	return c.ask(ctx, "", func(ctx context.Context, config *oauth2.Config) (*oauth2.Token, error) {
		return config.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh}).Token()
	})
}

func (c *Client) ask(ctx context.Context, redirect string, do func(context.Context, *oauth2.Config) (*oauth2.Token, error)) (session.Grant, error) {
	secret, err := c.secret(ctx)
	if err != nil {
		return session.Grant{}, fmt.Errorf("read client secret: %w", err)
	}
	config := c.config(redirect)
	config.ClientSecret = secret
	token, err := do(context.WithValue(ctx, oauth2.HTTPClient, c.http), config)
	if err != nil {
		return session.Grant{}, c.describe(ctx, err)
	}
	grant := session.Grant{Access: token.AccessToken, Refresh: token.RefreshToken}
	if !token.Expiry.IsZero() {
		grant.ExpiresAt = token.Expiry.UTC().Truncate(time.Second)
	}
	return grant, nil
}

// refused are the codes of errors that say that what was sent is not, or no
// longer, good; all others say that something is wrong with the application.
// invalid_grant is of RFC 6749, the others are GitHub's.
var refused = []string{"invalid_grant", "bad_verification_code", "bad_refresh_token", "expired_token", "unauthorized"}

// describe turns an error of the library into one without a host's own text,
// which might repeat what was sent.
func (c *Client) describe(ctx context.Context, err error) error {
	var answer *oauth2.RetrieveError
	why := "no usable answer"
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("ask %s: %w: %w", c.token, vcshost.ErrNoAnswer, ctx.Err())
	case errors.Is(err, vcshost.ErrElsewhere):
		why = vcshost.ErrElsewhere.Error()
	case !errors.As(err, &answer):
	case slices.Contains(refused, answer.ErrorCode):
		return fmt.Errorf("ask %s: %w: %s", c.token, session.ErrRefused, answer.ErrorCode)
	case len(answer.ErrorCode) > 0:
		why = fmt.Sprintf("error %.60q", answer.ErrorCode)
	case answer.Response != nil:
		why = fmt.Sprintf("status %d", answer.Response.StatusCode)
	}
	return fmt.Errorf("ask %s: %w: %s", c.token, vcshost.ErrNoAnswer, why)
}
