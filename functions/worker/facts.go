package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/background/frame"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/installation"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
	"github.com/opsplane/opsplane/shared/vcs/repository"
	"github.com/opsplane/opsplane/shared/vcs/vcsevent"
)

// facts are what deliveries tell, kept.
type facts struct {
	installations installation.Store
	repositories  repository.Store
	pullRequests  pullrequest.Store
	tasks         task.Store
	now           func() time.Time
}

const (
	// maxParallelWrites is how many repositories of one delivery are written at the
	// same time: about as many as a partition takes.
	maxParallelWrites = 16
	// lateness is how late a delivery may be, at most, that does not tell when it
	// was made. So what it tells is taken to be that old, and hides nothing that
	// happened since.
	lateness = 10 * time.Minute
)

// doubted are the facts of a delivery that may be a copy of an older one: which
// repositories the installation has is asked of the host, and not taken from it.
func doubted(facts []vcsevent.Fact) []vcsevent.Fact {
	kept := slices.DeleteFunc(slices.Clone(facts), func(c vcsevent.Fact) bool {
		switch c.(type) {
		case *vcsevent.RepositoriesGone, *vcsevent.RepositoriesListed:
			return true
		}
		return false
	})
	return append(kept, &vcsevent.ProjectsMoved{})
}

// version is the version of a fact that a delivery tells. A fact without a time
// came about when the delivery arrived.
func version(m vcs.Moment, d delivery.Delivery) vcs.Version {
	if m.At.IsZero() {
		m.At = d.ReceivedAt
	}
	return m.Version(d.ReceivedAt, d.ID)
}

// final is the version of a fact that ends a thing. The host's time of such a
// fact is that of the last change before the end, so the fact came about when the
// delivery arrived, unless the host's time is later.
func final(m vcs.Moment, d delivery.Delivery) vcs.Version {
	if m.At.Before(d.ReceivedAt) {
		m.At = d.ReceivedAt
	}
	return m.Version(d.ReceivedAt, d.ID)
}

// apply keeps a fact, unless a newer one is kept. Doing it again changes
// nothing.
func (f facts) apply(ctx context.Context, author change.Author, d delivery.Delivery, c vcsevent.Fact) error {
	switch c := c.(type) {
	case *vcsevent.InstallationSeen:
		return f.installation(ctx, author, d, c)
	case *vcsevent.InstallationRenamed:
		i := installation.Installation{VCS: d.Installation.VCS, ID: c.ID, Name: c.Name}
		return f.installations.Rename(ctx, author, i, version(c.Moment, d))
	case *vcsevent.RepositorySeen:
		return f.repository(ctx, author, d, c)
	case *vcsevent.RepositoriesListed:
		return beside(ctx, c.List, func(ctx context.Context, r vcs.Description) error {
			if c.At.IsZero() {
				return f.repositories.Given(ctx, author, d.Installation, r, version(c.Moment, d))
			}
			return f.repositories.Apply(ctx, author, d.Installation, r, version(c.Moment, d))
		})
	case *vcsevent.RepositoriesGone:
		return beside(ctx, c.IDs, func(ctx context.Context, id vcs.ID) error {
			gone, at := d.Installation.Repository(id), final(c.Moment, d)
			removal := repository.RemovalTask("", gone, at)
			return f.repositories.Gone(ctx, author, gone, at, f.tasks.Writes(f.making(author), removal))
		})
	case *vcsevent.ProjectsMoved:
		return f.tasks.Gather(ctx, f.making(author), task.Task{Kind: task.RefreshRepositories, Installation: d.Installation})
	case *vcsevent.PullRequestSeen:
		return f.pullRequest(ctx, author, d, c)
	}
	return fmt.Errorf("a fact of type %T is not kept", c)
}

// making is the author of a task that is made now. A task lives from its making
// on, however long ago the delivery arrived: author.At is that.
func (f facts) making(author change.Author) change.Author {
	author.At = f.now()
	return author
}

func (f facts) installation(ctx context.Context, author change.Author, d delivery.Delivery, c *vcsevent.InstallationSeen) error {
	i := installation.Installation{VCS: d.Installation.VCS, ID: c.ID, Name: c.Name, TargetType: c.TargetType, State: installation.State(c.State)}
	switch i.State {
	case installation.Unknown:
		return f.installations.Ensure(ctx, author, i)
	case installation.Uninstalled:
		return f.installations.Apply(ctx, author, i, final(c.Moment, d))
	}
	return f.installations.Apply(ctx, author, i, version(c.Moment, d))
}

// repository keeps what a delivery says of a repository.
func (f facts) repository(ctx context.Context, author change.Author, d delivery.Delivery, c *vcsevent.RepositorySeen) error {
	described, there := c.Moment, vcs.Version("")
	if described.At.IsZero() {
		described.At = d.ReceivedAt.Add(-lateness)
	}
	if !c.There.IsZero() {
		there = version(vcs.Moment{At: c.There}, d)
	}
	return f.repositories.Describe(ctx, author, d.Installation, c.Description, version(described, d), there)
}

func (f facts) pullRequest(ctx context.Context, author change.Author, d delivery.Delivery, c *vcsevent.PullRequestSeen) error {
	at := version(c.Moment, d)
	return f.pullRequests.Apply(ctx, author, d.Installation, pullrequest.PullRequest{
		Repository: c.Repository, Number: c.Number, Title: c.Title, User: c.User,
		State: pullrequest.State(c.State), BaseBranch: c.BaseBranch, BaseSHA: c.BaseSHA, Branch: c.Branch, SHA: c.SHA,
		MergedSHA: c.MergedSHA, MergedAt: c.MergedAt, Draft: c.Draft,
	}, at, f.repositories.NotEmptied(d.Installation.Repository(c.Repository), at))
}

// beside does something with each entry of a list, some at a time, until one
// fails.
func beside[T any](ctx context.Context, list []T, do func(context.Context, T) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxParallelWrites)
	for i := 0; i < len(list) && ctx.Err() == nil; i++ {
		group.Go(func() (err error) {
			defer frame.Guard(&err)
			return do(ctx, list[i])
		})
	}
	return group.Wait()
}
