// Package githubhost is the client of GitHub, or of a GitHub Enterprise Server. App
// sends requests in the name of our GitHub App. People sends them with the tokens
// of people. The invariants of the package:
//
//   - No error holds a token or a key. Of the text of a response, an error holds
//     only the text of a vcshost.Refusal.
//   - No token is sent to another origin.
//   - No call waits longer than its context.
//   - If GitHub limits requests, the error says for how long, and the package sends
//     nothing until then. A limit of what makes content (statuses, comments, merges)
//     holds up nothing else: GitHub has a limit of its own for content.
package githubhost

import (
	"context"
	"crypto/rsa"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v88/github"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// App is our GitHub App. It may be used by several goroutines.
type App struct {
	id        int64
	key       func(context.Context) (string, error)
	api       string
	transport http.RoundTripper

	mu      sync.Mutex
	text    string // text of the key
	signer  *rsa.PrivateKey
	itself  *github.Client
	clients map[vcs.ID]clients // by id of the installation

	// withoutDetails says that the host does not know the member
	// return_run_details of a dispatch.
	withoutDetails atomic.Bool
}

// New returns the App with an id at an API address, such as
// "https://api.github.com" or "https://github.example.com/api/v3". key returns the
// text of the private key, in a form that ReadKey accepts. It is called for each
// Open. When the text changes, new tokens are signed with the new key. An id that
// is not a number means that no App is configured.
func New(id string, key func(context.Context) (string, error), api string) *App {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		key = func(context.Context) (string, error) { return "", vcshost.ErrNotConfigured }
	}
	return &App{
		id: n, key: key, api: strings.TrimRight(api, "/"),
		transport: drained{vcshost.Transport(api)}, clients: map[vcs.ID]clients{},
	}
}

// Installation is the client of one installation of the App. It may be used by
// several goroutines.
type Installation struct {
	app *App
	id  vcs.ID
	clients
}

// clients are the clients of the library for one installation. They differ in the
// limits that they remember.
type clients struct {
	client *github.Client
	// content is for the writes that make content. GitHub limits them earlier ("Rate
	// limits for the REST API", GitHub documentation).
	content *github.Client
}

// Open returns the client of an installation. It sends no request: only the first
// request shows whether the installation exists. It returns
// vcshost.ErrNotConfigured if there is no App, a vcshost.KeyError if the private
// key is in no form that ReadKey accepts, or the error of the function that reads
// the key.
func (a *App) Open(ctx context.Context, id vcs.ID) (*Installation, error) {
	n, err := strconv.ParseInt(string(id), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("github: installation %q is not a 64-bit number", id)
	}
	text, err := a.key(ctx)
	if err != nil {
		return nil, fmt.Errorf("read private key of the GitHub App: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.useKey(text); err != nil {
		return nil, err
	}
	if c, ok := a.clients[id]; ok {
		return &Installation{a, id, c}, nil
	}
	signer := a.signer // a copy: the function below runs without the lock
	signed := newRenewed(func() http.RoundTripper {
		return ghinstallation.NewFromAppsTransport(a.signed(signer), n)
	})
	// The responses are remembered above the transport that adds the token: each
	// client remembers the responses of one installation only.
	transport := newTagged(signed)
	var c clients
	if c.client, err = a.newClient(transport); err != nil {
		return nil, err
	}
	if c.content, err = a.newClient(transport); err != nil {
		return nil, err
	}
	if len(a.clients) >= maxClients {
		clear(a.clients)
	}
	a.clients[id] = c
	return &Installation{a, id, c}, nil
}

// useKey reads the key if its text has changed. Then it also removes the clients of
// the earlier key.
func (a *App) useKey(text string) error {
	if text == a.text && a.signer != nil {
		return nil
	}
	signer, err := ReadKey(text)
	if err != nil {
		return fmt.Errorf("github: %w", err)
	}
	a.text, a.signer, a.itself, a.clients = text, signer, nil, map[vcs.ID]clients{}
	return nil
}

// signed returns a transport that signs requests as the App.
func (a *App) signed(signer *rsa.PrivateKey) *ghinstallation.AppsTransport {
	signed := ghinstallation.NewAppsTransportFromPrivateKey(a.transport, a.id, signer)
	signed.BaseURL = a.api
	return signed
}

func (a *App) newClient(transport http.RoundTripper) (*github.Client, error) {
	base := a.api + "/"
	c, err := github.NewClient(github.WithTransport(transport), github.WithURLs(&base, &base))
	if err != nil {
		return nil, fmt.Errorf("github: address %s is not usable", a.api)
	}
	return c, nil
}

// own returns the client of the App itself.
func (a *App) own(ctx context.Context) (*github.Client, error) {
	text, err := a.key(ctx)
	if err != nil {
		return nil, fmt.Errorf("read private key of the GitHub App: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.useKey(text); err != nil || a.itself != nil {
		return a.itself, err
	}
	a.itself, err = a.newClient(a.signed(a.signer))
	return a.itself, err
}

// maxClients is the number of installations whose tokens and responses are
// remembered.
const maxClients = 50
