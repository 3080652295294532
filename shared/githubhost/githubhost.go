// Package githubhost asks GitHub, or a GitHub Enterprise Server, in the name of
// our GitHub App. Its invariants: no error holds a token, a key or a word of an
// answer; no call waits longer than its context; and where GitHub asks for
// patience the caller is told for how long, and nothing is repeated meanwhile.
package githubhost

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v88/github"

	"github.com/opsplane/opsplane/shared/vcshost"
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
	pem     string
	itself  *github.Client
	clients map[string]*github.Client // by installation
}

// New returns the App of an id at an API address, such as
// "https://api.github.com" or "https://github.example.com/api/v3". The private
// key, in PEM, is asked for on each use; when it changes, new tokens are made
// with the new one.
func New(id string, key func(context.Context) (string, error), api string) *App {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil { // empty, or not set well: there is no such App
		key = func(context.Context) (string, error) { return "", ErrNoApp }
	}
	return &App{
		id: n, key: key, api: strings.TrimRight(api, "/"),
		transport: drained{vcshost.Transport()}, clients: map[string]*github.Client{},
	}
}

// ErrNoApp says that the server has no GitHub App: its id is not set.
var ErrNoApp = errors.New("no GitHub App is configured")

// Ready answers why the App cannot be used, if its key is not there or it has no
// id. It asks nothing of GitHub.
func (a *App) Ready(ctx context.Context) error {
	_, err := a.key(ctx)
	return err
}

// installation answers the client of an installation, which keeps its token of
// an hour.
func (a *App) installation(ctx context.Context, installation string) (*github.Client, error) {
	id, err := strconv.ParseInt(installation, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("github: installation %q is no number", installation)
	}
	pem, err := a.key(ctx)
	if err != nil {
		return nil, fmt.Errorf("read private key of the GitHub App: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keyed(pem)
	if c := a.clients[installation]; c != nil {
		return c, nil
	}
	signed, err := newRenewed(func() (http.RoundTripper, error) {
		signed, err := ghinstallation.New(a.transport, a.id, id, []byte(pem))
		if err != nil {
			return nil, errNoKey
		}
		signed.BaseURL = a.api
		return signed, nil
	})
	if err != nil {
		return nil, err
	}
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

// errNoKey says that the key cannot be used.
var errNoKey = errors.New("github: the private key of the GitHub App is not an RSA key in PEM")

// keyed forgets what was made with another key.
func (a *App) keyed(pem string) {
	if pem != a.pem {
		a.pem, a.itself, a.clients = pem, nil, map[string]*github.Client{}
	}
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

// Page is a part of the repositories that an installation reaches.
type Page struct {
	Repositories []Repository
	// Next is the next page's number; 0 after the last.
	Next int
	// Total is how many repositories all pages have.
	Total int
}

// Repositories answers a page, from 1 on, of the repositories that an
// installation reaches. A page has at most size of them, 1 to 100.
func (a *App) Repositories(ctx context.Context, installation string, page, size int) (Page, error) {
	c, err := a.installation(ctx, installation)
	if err != nil {
		return Page{}, err
	}
	list, answer, err := c.Apps.ListRepos(ctx, &github.ListOptions{Page: page, PerPage: size})
	if err != nil {
		return Page{}, explain("list repositories", err)
	}
	found := Page{Next: answer.NextPage, Total: list.GetTotalCount(), Repositories: make([]Repository, len(list.Repositories))}
	for i, r := range list.Repositories {
		found.Repositories[i] = read(r)
	}
	return found, nil
}

func read(r *github.Repository) Repository {
	at := r.GetUpdatedAt().Time
	if pushed := r.GetPushedAt().Time; pushed.After(at) {
		at = pushed
	}
	return Repository{
		ID: strconv.FormatInt(r.GetID(), 10), Owner: r.GetOwner().GetLogin(), Name: r.GetName(), DefaultBranch: r.GetDefaultBranch(),
		Archived: r.GetArchived(), Private: r.GetPrivate(), UpdatedAt: at.UTC(),
	}
}
