// Package githubhost asks GitHub, or a GitHub Enterprise Server, in the name of
// our GitHub App. Its invariants: no error holds a token or a key, or a word of an
// answer but those of a vcshost.Refusal; no token goes to another origin; no call
// waits longer than its context; and where GitHub asks for patience the caller is
// told for how long, and nothing is repeated meanwhile.
package githubhost

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v88/github"

	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Workflow is the file that makes a repository set up.
const Workflow = ".github/workflows/terrateam.yml"

// Repository is what GitHub tells of a repository.
type Repository struct {
	// ID is GitHub's id of it, decimal digits.
	ID string
	// Owner is the login of the account that it belongs to.
	Owner, Name string
	// DefaultBranch is empty in a repository without commits.
	DefaultBranch     string
	Archived, Private bool
	// UpdatedAt is when it last changed or was pushed to, whichever is later.
	UpdatedAt time.Time
}

// App is our GitHub App. It may be used by several goroutines.
type App struct {
	id        int64
	key       func(context.Context) (string, error)
	api       string
	transport http.RoundTripper

	mu      sync.Mutex
	text    string // of the key
	signer  *rsa.PrivateKey
	itself  *github.Client
	clients map[string]*github.Client // by installation
}

// New returns the App of an id at an API address, such as
// "https://api.github.com" or "https://github.example.com/api/v3". The text of the
// private key, as ReadKey takes it, is asked for on each use; when it changes, new
// tokens are made with the new one.
func New(id string, key func(context.Context) (string, error), api string) *App {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil { // empty, or not set well: there is no such App
		key = func(context.Context) (string, error) { return "", ErrNoApp }
	}
	return &App{
		id: n, key: key, api: strings.TrimRight(api, "/"),
		transport: drained{vcshost.Transport(api)}, clients: map[string]*github.Client{},
	}
}

// ErrNoApp says that the server has no GitHub App: its id is not set.
var ErrNoApp = errors.New("no GitHub App is configured")

// Ready answers why the App cannot be used, if its key is not there or is none, or
// it has no id. It asks nothing of GitHub.
func (a *App) Ready(ctx context.Context) error {
	text, err := a.key(ctx)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.keyed(text)
}

// installation answers the client of an installation, which keeps its token of
// an hour.
func (a *App) installation(ctx context.Context, installation string) (*github.Client, error) {
	id, err := strconv.ParseInt(installation, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("github: installation %q is no number", installation)
	}
	text, err := a.key(ctx)
	if err != nil {
		return nil, fmt.Errorf("read private key of the GitHub App: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.keyed(text); err != nil {
		return nil, err
	}
	if c := a.clients[installation]; c != nil {
		return c, nil
	}
	signer := a.signer // as of now: the closure runs without the lock
	signed := newRenewed(func() http.RoundTripper {
		return ghinstallation.NewFromAppsTransport(a.signed(signer), id)
	})
	// What is remembered lies above the credential: it is one installation's alone.
	c, err := a.client(newTagged(signed))
	if err != nil {
		return nil, err
	}
	if len(a.clients) >= maxClients {
		clear(a.clients)
	}
	a.clients[installation] = c
	return c, nil
}

// keyed reads the key, if it is another one, and forgets what was made with the
// one before.
func (a *App) keyed(text string) error {
	if text == a.text && a.signer != nil {
		return nil
	}
	signer, err := ReadKey(text)
	if err != nil {
		return fmt.Errorf("github: %w", err)
	}
	a.text, a.signer, a.itself, a.clients = text, signer, nil, map[string]*github.Client{}
	return nil
}

// signed is a transport that signs as the App with a key.
func (a *App) signed(signer *rsa.PrivateKey) *ghinstallation.AppsTransport {
	signed := ghinstallation.NewAppsTransportFromPrivateKey(a.transport, a.id, signer)
	signed.BaseURL = a.api
	return signed
}

func (a *App) client(transport http.RoundTripper) (*github.Client, error) {
	base := a.api + "/"
	c, err := github.NewClient(github.WithTransport(transport), github.WithURLs(&base, &base))
	if err != nil {
		return nil, fmt.Errorf("github: address %s is not usable", a.api)
	}
	return c, nil
}

// maxClients bounds how many installations' tokens and answers are remembered.
const maxClients = 50
