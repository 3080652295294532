package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/grouptoken"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// source is where the repositories of installations are listed.
type source interface {
	// page lists a part, from number 1 on.
	page(ctx context.Context, installation vcs.ID, number int) (listed, error)
	// one asks for a repository by its id; nil if the host has none that is the
	// installation's.
	one(ctx context.Context, installation, id vcs.ID) (*vcs.Description, error)
}

// listed is a part of the repositories of an installation.
type listed struct {
	seen []vcs.Description
	// odd are the entries of the part that cannot be read.
	odd []vcshost.Odd
	// next is the number of the next part; 0 after the last.
	next int
	// total is how many repositories there are; 0 if the host does not say.
	total int
}

// general reports whether an error says something of the whole installation. What
// is odd with one repository must not hold up the others.
func general(err error) bool {
	var limited *vcshost.Limited
	var key *githubhost.KeyError
	if errors.As(err, &limited) || errors.As(err, &key) {
		return true
	}
	for _, target := range []error{
		vcshost.ErrRefused, vcshost.ErrNoInstallation, vcshost.ErrElsewhere, secret.ErrNotConfigured, githubhost.ErrNoApp, grouptoken.ErrNone, errNoGroup,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// github lists what an installation of our App reaches.
type github struct {
	app *githubhost.App
	log *slog.Logger
	// part is how many repositories are listed at once.
	part int
}

const (
	// githubPart is how many repositories of GitHub are listed at once. Each is asked
	// for its workflow file, and a slow host must answer for all before an
	// invocation's time is over: what was listed is noted only then.
	githubPart = 24
	// looking is how many repositories are asked beside each other for their
	// workflow file. GitHub counts requests at the same time, too ("Rate limits for
	// the REST API", GitHub documentation: at most 100).
	looking = 8
	// lookTime is how long it may take to look for one.
	lookTime = 10 * time.Second
)

func (g github) page(ctx context.Context, installation vcs.ID, number int) (listed, error) {
	page, err := g.app.Repositories(ctx, string(installation), number, g.part)
	if err != nil {
		return listed{}, err
	}
	found := listed{next: page.Next, total: page.Total, odd: page.Odd, seen: make([]vcs.Description, len(page.Repositories))}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(looking)
	for i, r := range page.Repositories {
		group.Go(func() (err error) {
			found.seen[i], err = g.look(ctx, installation, r)
			return err
		})
	}
	return found, group.Wait()
}

// look makes a fact of a repository and of whether it has the workflow file. If
// that cannot be learned, the fact does not tell it.
func (g github) look(ctx context.Context, installation vcs.ID, r githubhost.Repository) (vcs.Description, error) {
	seen := vcs.Description{
		ID: vcs.ID(r.ID), Owner: r.Owner, Name: r.Name, Private: &r.Private, Archived: &r.Archived, DefaultBranch: r.DefaultBranch,
	}
	short, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	setup, err := g.app.HasWorkflow(short, string(installation), r)
	switch {
	case err == nil:
		seen.Setup = &setup
	case ctx.Err() != nil || general(err):
		return seen, err
	default:
		g.log.LogAttrs(ctx, slog.LevelWarn, "workflow file unknown", slog.String("vcs", string(vcs.GitHub)),
			slog.String("installation", string(installation)), slog.String("repository", r.ID), slog.String("error", err.Error()))
	}
	return seen, nil
}

func (g github) one(ctx context.Context, installation, id vcs.ID) (*vcs.Description, error) {
	r, err := g.app.Repository(ctx, string(installation), string(id))
	if errors.Is(err, vcshost.ErrGone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if has, err := g.app.Has(ctx, string(installation), r); err != nil || !has {
		return nil, err
	}
	seen, err := g.look(ctx, installation, r)
	return &seen, err
}

// gitlab lists the projects of a group with the group's own token.
type gitlab struct {
	host   *gitlabhost.Host
	tokens *grouptoken.Store
}

// errNoGroup says that the group itself is not there for its token.
var errNoGroup = errors.New("the group is out of the token's reach")

func (g gitlab) client(ctx context.Context, installation vcs.ID) (*gitlabhost.Client, error) {
	token, err := g.tokens.Get(ctx, string(installation))
	if err != nil {
		return nil, err
	}
	return g.host.As(token)
}

func (g gitlab) page(ctx context.Context, installation vcs.ID, number int) (listed, error) {
	client, err := g.client(ctx, installation)
	if err != nil {
		return listed{}, err
	}
	page, err := client.Projects(ctx, string(installation), number)
	if err != nil {
		return listed{}, err
	}
	found := listed{next: page.Next, total: page.Total, odd: page.Odd, seen: make([]vcs.Description, len(page.Projects))}
	for i, p := range page.Projects {
		found.seen[i] = ofProject(p)
	}
	return found, nil
}

func ofProject(p gitlabhost.Project) vcs.Description {
	return vcs.Description{
		ID: vcs.ID(p.ID), Owner: p.Owner, Name: p.Name, Private: &p.Private, Archived: &p.Archived, DefaultBranch: p.DefaultBranch,
	}
}

// one answers a project of the group, or of one within it. The token can see
// public projects of others as well.
func (g gitlab) one(ctx context.Context, installation, id vcs.ID) (*vcs.Description, error) {
	client, err := g.client(ctx, installation)
	if err != nil {
		return nil, err
	}
	group, err := client.Group(ctx, string(installation))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoGroup, err)
	}
	p, err := client.Project(ctx, string(id))
	if errors.Is(err, vcshost.ErrGone) || err == nil && !strings.HasPrefix(p.Owner+"/"+p.Name, group.FullPath+"/") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	seen := ofProject(p)
	return &seen, nil
}
