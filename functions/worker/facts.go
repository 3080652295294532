package main

import (
	"context"
	"fmt"

	"github.com/opsplane/opsplane/shared/change"
	"github.com/opsplane/opsplane/shared/delivery"
	"github.com/opsplane/opsplane/shared/installation"
	"github.com/opsplane/opsplane/shared/pullrequest"
	"github.com/opsplane/opsplane/shared/repository"
	"github.com/opsplane/opsplane/shared/task"
	"github.com/opsplane/opsplane/shared/vcsevent"
)

// facts are what deliveries tell, kept.
type facts struct {
	installations installation.Store
	repositories  repository.Store
	pullRequests  pullrequest.Store
	tasks         task.Store
}

// version orders facts as texts. What tells no time happened when it arrived.
func version(v vcsevent.Version, d delivery.Delivery) string {
	if v.At.IsZero() {
		v.At = d.ReceivedAt
	}
	return v.Text(d.ID)
}

// apply keeps a fact, unless a newer one is kept. Doing it again changes
// nothing.
func (f facts) apply(ctx context.Context, author change.Author, d delivery.Delivery, c vcsevent.Change) error {
	switch c := c.(type) {
	case *vcsevent.InstallationSeen:
		i := installation.Installation{VCS: d.VCS, ID: c.ID, Name: c.Name, TargetType: c.TargetType, State: installation.State(c.State)}
		if c.State == "" {
			return f.installations.Ensure(ctx, author, i)
		}
		return f.installations.Apply(ctx, author, i, version(c.Version, d))
	case *vcsevent.RepositorySeen:
		seen := repository.Seen{ID: c.ID, Owner: c.Owner, Name: c.Name, Private: c.Private}
		if c.Archived != nil {
			seen.Details = &repository.Details{DefaultBranch: c.DefaultBranch, Archived: *c.Archived}
		}
		return f.repositories.Apply(ctx, author, d.VCS, d.Installation, seen, version(c.Version, d))
	case *vcsevent.RepositoryGone:
		at := version(c.Version, d)
		removal := repository.RemovalTask("", d.VCS, d.Installation, c.ID, at)
		_, err := f.repositories.Gone(ctx, author, d.VCS, d.Installation, c.ID, at, f.tasks.Writes(author, removal))
		return err
	case *vcsevent.PullRequestSeen:
		at := version(c.Version, d)
		return f.pullRequests.Apply(ctx, author, d.VCS, d.Installation, pullrequest.PullRequest{
			Repository: c.Repository, Number: c.Number, Title: c.Title, User: c.User,
			State: pullrequest.State(c.State), BaseBranch: c.BaseBranch, BaseSHA: c.BaseSHA, Branch: c.Branch, SHA: c.SHA,
			MergedSHA: c.MergedSHA, MergedAt: c.MergedAt, Draft: c.Draft,
		}, at, f.repositories.NotEmptied(d.VCS, d.Installation, c.Repository, at))
	}
	return fmt.Errorf("a fact of type %T is not kept", c)
}
