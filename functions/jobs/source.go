package main

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/githubhost"
	"github.com/opsplane/opsplane/shared/gitlabhost"
	"github.com/opsplane/opsplane/shared/grouptoken"
	"github.com/opsplane/opsplane/shared/repository"
)

// github lists what an installation of our App reaches.
type github struct{ app *githubhost.App }

// looking is how many repositories are asked beside each other for their
// workflow file. GitHub counts requests at the same time, too ("Rate limits for
// the REST API", GitHub documentation: at most 100).
const looking = 8

func (g github) page(ctx context.Context, installation string, number int, thorough bool) (listed, error) {
	page, err := g.app.Repositories(ctx, installation, number)
	if err != nil {
		return listed{}, err
	}
	found := listed{next: page.Next, total: page.Total, seen: make([]repository.Seen, len(page.Repositories))}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(looking)
	for i, r := range page.Repositories {
		found.seen[i] = repository.Seen{
			ID: r.ID, Owner: r.Owner, Name: r.Name, Private: &r.Private, Archived: &r.Archived, DefaultBranch: r.DefaultBranch,
		}
		if !thorough {
			continue
		}
		group.Go(func() error {
			setup, err := g.app.HasWorkflow(ctx, installation, r)
			found.seen[i].Setup = &setup
			return err
		})
	}
	return found, group.Wait()
}

// gitlab lists the projects of a group with the group's own token.
type gitlab struct {
	host   *gitlabhost.Host
	tokens *grouptoken.Store
}

func (g gitlab) page(ctx context.Context, installation string, number int, _ bool) (listed, error) {
	token, err := g.tokens.Get(ctx, installation)
	if err != nil {
		return listed{}, err
	}
	client, err := g.host.As(token)
	if err != nil {
		return listed{}, err
	}
	page, err := client.Projects(ctx, installation, number)
	if err != nil {
		return listed{}, err
	}
	found := listed{next: page.Next, total: page.Total, seen: make([]repository.Seen, len(page.Projects))}
	for i, p := range page.Projects {
		found.seen[i] = repository.Seen{
			ID: p.ID, Owner: p.Owner, Name: p.Name, Private: &p.Private, Archived: &p.Archived, DefaultBranch: p.DefaultBranch,
		}
	}
	return found, nil
}
