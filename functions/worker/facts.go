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
	// side is how many repositories of one delivery are written beside each other:
	// about as many as a partition takes.
	side = 16
	// lateness is how late a delivery may be, at most, that does not tell when it
	// was made. So what it tells is taken to be that old, and hides nothing that
	// happened since.
	lateness = 10 * time.Minute
)

// doubted are the facts of a delivery that may be a copy of an older one: which
// repositories the installation has is asked of the host, and not taken from it.
func doubted(changes []vcsevent.Change) []vcsevent.Change {
	kept := slices.DeleteFunc(slices.Clone(changes), func(c vcsevent.Change) bool {
		switch c.(type) {
		case *vcsevent.RepositoriesGone, *vcsevent.RepositoriesListed:
			return true
		}
		return false
	})
	return append(kept, &vcsevent.ProjectsMoved{})
}

// version orders facts as texts. What tells no time is as of the arrival.
func version(v vcsevent.Version, d delivery.Delivery) string {
	if v.At.IsZero() {
		v.At = d.ReceivedAt
	}
	return v.Text(d.ReceivedAt, d.ID)
}

// final is the version of what nothing follows but a new beginning. The host's
// time is that of the last change before.
func final(v vcsevent.Version, d delivery.Delivery) string {
	if v.At.Before(d.ReceivedAt) {
		v.At = d.ReceivedAt
	}
	return v.Text(d.ReceivedAt, d.ID)
}

// apply keeps a fact, unless a newer one is kept. Doing it again changes
// nothing.
func (f facts) apply(ctx context.Context, author change.Author, d delivery.Delivery, c vcsevent.Change) error {
	switch c := c.(type) {
	case *vcsevent.InstallationSeen:
		return f.installation(ctx, author, d, c)
	case *vcsevent.InstallationRenamed:
		i := installation.Installation{VCS: d.VCS, ID: c.ID, Name: c.Name}
		return f.installations.Rename(ctx, author, i, version(c.Version, d))
	case *vcsevent.RepositorySeen:
		return f.repository(ctx, author, d, c)
	case *vcsevent.RepositoriesListed:
		return beside(ctx, c.List, func(ctx context.Context, r vcsevent.Repository) error {
			if c.At.IsZero() {
				return f.repositories.Given(ctx, author, d.VCS, d.Installation, seen(r), version(c.Version, d))
			}
			return f.repositories.Apply(ctx, author, d.VCS, d.Installation, seen(r), version(c.Version, d))
		})
	case *vcsevent.RepositoriesGone:
		return beside(ctx, c.IDs, func(ctx context.Context, id string) error {
			at := final(c.Version, d)
			removal := repository.RemovalTask("", d.VCS, d.Installation, id, at)
			return f.repositories.Gone(ctx, author, d.VCS, d.Installation, id, at, f.tasks.Writes(f.making(author), removal))
		})
	case *vcsevent.ProjectsMoved:
		return f.tasks.Gather(ctx, f.making(author), task.Task{Kind: task.RefreshRepositories, VCS: d.VCS, Installation: d.Installation})
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
	i := installation.Installation{VCS: d.VCS, ID: c.ID, Name: c.Name, TargetType: c.TargetType, State: installation.State(c.State)}
	switch i.State {
	case installation.Unknown:
		return f.installations.Ensure(ctx, author, i)
	case installation.Uninstalled:
		return f.installations.Apply(ctx, author, i, final(c.Version, d))
	}
	return f.installations.Apply(ctx, author, i, version(c.Version, d))
}

// repository keeps what a delivery says of a repository.
func (f facts) repository(ctx context.Context, author change.Author, d delivery.Delivery, c *vcsevent.RepositorySeen) error {
	described, there := c.Version, ""
	if described.At.IsZero() {
		described.At = d.ReceivedAt.Add(-lateness)
	}
	if !c.There.IsZero() {
		there = version(vcsevent.Version{At: c.There}, d)
	}
	return f.repositories.Describe(ctx, author, d.VCS, d.Installation, seen(c.Repository), version(described, d), there)
}

func (f facts) pullRequest(ctx context.Context, author change.Author, d delivery.Delivery, c *vcsevent.PullRequestSeen) error {
	at := version(c.Version, d)
	return f.pullRequests.Apply(ctx, author, d.VCS, d.Installation, pullrequest.PullRequest{
		Repository: c.Repository, Number: c.Number, Title: c.Title, User: c.User,
		State: pullrequest.State(c.State), BaseBranch: c.BaseBranch, BaseSHA: c.BaseSHA, Branch: c.Branch, SHA: c.SHA,
		MergedSHA: c.MergedSHA, MergedAt: c.MergedAt, Draft: c.Draft,
	}, at, f.repositories.NotEmptied(d.VCS, d.Installation, c.Repository, at))
}

func seen(r vcsevent.Repository) repository.Seen {
	return repository.Seen{ID: r.ID, Owner: r.Owner, Name: r.Name, Private: r.Private, Archived: r.Archived, DefaultBranch: r.DefaultBranch}
}

// beside does something to each of a list, some at a time, until one fails.
func beside[T any](ctx context.Context, list []T, do func(context.Context, T) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(side)
	for i := 0; i < len(list) && ctx.Err() == nil; i++ {
		group.Go(func() (err error) {
			defer frame.Guard(&err)
			return do(ctx, list[i])
		})
	}
	return group.Wait()
}
