package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// host is what a refresh needs of the client of an installation. githubhost and
// gitlabhost document the methods.
type host interface {
	Repositories(ctx context.Context, page, size int) (vcshost.RepositoryPage, error)
	OwnRepository(ctx context.Context, id vcs.ID) (vcshost.Repository, error)
	HasWorkflow(ctx context.Context, r vcs.Description) (*bool, error)
}

// opener returns the opener of such clients.
func opener(h *hostclient.Hosts) hostclient.Opener[host] {
	return hostclient.For(h, func(i *githubhost.Installation) host { return i }, func(i *gitlabhost.Installation) host { return i })
}

// pageSizes are how many repositories are listed at once. Each repository of GitHub
// costs a request for its workflow file. Also a slow host must respond to all these
// requests within the time of an invocation, because the progress is stored only
// after them.
var pageSizes = map[vcs.VCS]int{vcs.GitHub: 24, vcs.GitLab: 100}

const (
	// maxParallelLooks is how many repositories are asked for at the same time.
	// GitHub limits parallel requests ("Rate limits for the REST API", GitHub
	// documentation: at most 100).
	maxParallelLooks = 8
	// lookTime is the maximum time of the request for a workflow file.
	lookTime = 10 * time.Second
)

// source lists the repositories of one installation.
type source struct {
	host host
	of   vcs.Installation
	size int // of a page
	log  *slog.Logger
}

// listed is a page of the repositories of an installation.
type listed struct {
	seen []vcs.Description
	// odd are the entries of the page that cannot be read.
	odd []vcshost.Odd
	// next is the number of the next page. It is 0 after the last one.
	next int
	// total is the number of all repositories. It is 0 if the host does not state
	// it.
	total int
}

// page returns a page. The first has number 1.
func (s source) page(ctx context.Context, number int) (listed, error) {
	page, err := s.host.Repositories(ctx, number, s.size)
	if err != nil {
		return listed{}, err
	}
	found := listed{next: page.Next, total: page.Total, odd: page.Odd, seen: make([]vcs.Description, len(page.Repositories))}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxParallelLooks)
	for i, r := range page.Repositories {
		group.Go(func() (err error) {
			found.seen[i], err = s.look(ctx, r.Description)
			return err
		})
	}
	return found, group.Wait()
}

// one returns a repository by its id. It returns nil if the installation does not
// have it at the host.
func (s source) one(ctx context.Context, id vcs.ID) (*vcs.Description, error) {
	r, err := s.host.OwnRepository(ctx, id)
	if errors.Is(err, vcshost.ErrGone) && !vcshost.ConcernsInstallation(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	seen, err := s.look(ctx, r.Description)
	return &seen, err
}

// look returns what is to be stored about a repository. It finds out whether the
// repository has the workflow file. Setup is nil if that is not possible.
func (s source) look(ctx context.Context, r vcs.Description) (vcs.Description, error) {
	seen := r
	seen.Setup = nil
	short, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	setup, err := s.host.HasWorkflow(short, r)
	switch {
	case err == nil:
		seen.Setup = setup
	case ctx.Err() != nil || vcshost.ConcernsInstallation(err):
		return seen, err
	default:
		s.log.LogAttrs(ctx, slog.LevelWarn, "workflow file unknown", slog.String("vcs", string(s.of.VCS)),
			slog.String("installation", string(s.of.ID)), slog.String("repository", string(r.ID)), slog.String("error", err.Error()))
	}
	return seen, nil
}
