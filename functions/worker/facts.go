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
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/installation"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
	"github.com/opsplane/opsplane/shared/vcs/repository"
	"github.com/opsplane/opsplane/shared/vcs/vcsevent"
)

// facts stores the facts of deliveries.
type facts struct {
	installations installation.Store
	repositories  repository.Store
	pullRequests  pullrequest.Store
	tasks         task.Store
	runs          runstore.Store
	lanes         lane.Store
	now           func() time.Time
}

const (
	// maxParallelWrites is how many repositories of one delivery are written at the
	// same time. A partition of the table takes about as many.
	maxParallelWrites = 16
	// lateness is the maximum delay of a delivery that does not state when it was
	// made. Its facts count as this much older than its arrival, so that they hide
	// nothing that happened since.
	lateness = 10 * time.Minute
)

// doubted returns the facts of a delivery that may be a copy of an older one. Its
// lists of repositories are not used. A refresh asks the host instead which
// repositories the installation has.
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

// version returns the version of a delivery's fact. A fact without a time gets the
// time at which the delivery arrived.
func version(m vcs.Moment, d delivery.Delivery) vcs.Version {
	if m.At.IsZero() {
		m.At = d.ReceivedAt
	}
	return m.Version(d.ReceivedAt, d.ID)
}

// final returns the version of a fact that says that something has ended. The
// host's time of such a fact is the time of the last change before the end. So the
// fact gets the time at which the delivery arrived, unless the host's time is
// later.
func final(m vcs.Moment, d delivery.Delivery) vcs.Version {
	if m.At.Before(d.ReceivedAt) {
		m.At = d.ReceivedAt
	}
	return m.Version(d.ReceivedAt, d.ID)
}

// apply stores a fact, unless a newer one is stored. A second call changes nothing.
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
	case *vcsevent.Commented:
		if r, ok := commandOf(d, c); ok {
			return f.ask(ctx, r, version(c.Moment, d))
		}
		return nil
	case *vcsevent.Pushed:
		return f.pushed(ctx, d, c)
	case *vcsevent.CIEnded:
		return f.ciEnded(ctx, f.making(author), d, c)
	}
	return fmt.Errorf("a fact of type %T is not kept", c)
}

// making returns the author of a change that counts from now: a task's age counts from
// its creation, and a run ends when this is recorded, not when the delivery arrived.
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

// repository stores what a delivery states about a repository.
func (f facts) repository(ctx context.Context, author change.Author, d delivery.Delivery, c *vcsevent.RepositorySeen) error {
	there := vcs.Version("")
	if !c.There.IsZero() {
		there = version(vcs.Moment{At: c.There}, d)
	}
	return f.repositories.Describe(ctx, author, d.Installation, c.Description, version(late(c.Moment, d), d), there)
}

// late returns the moment of a fact. If the fact has no time, it counts as from some time
// before the delivery arrived.
func late(m vcs.Moment, d delivery.Delivery) vcs.Moment {
	if m.At.IsZero() {
		m.At = d.ReceivedAt.Add(-lateness)
	}
	return m
}

func (f facts) pullRequest(ctx context.Context, author change.Author, d delivery.Delivery, c *vcsevent.PullRequestSeen) error {
	at, of := version(c.Moment, d), d.Installation.Repository(c.Repository)
	var more []table.Write
	if due, ends := plansGo(d, c); ends {
		more = append(more, f.runs.WriteClosed(of, c.Number, due))
	}
	request, asks := pullOf(d, c)
	if asks {
		writes, err := f.lanes.WriteAsk(request, f.now())
		if err != nil {
			return err
		}
		more = append(more, writes...)
	}
	newest, err := f.pullRequests.Apply(ctx, author, d.Installation, pullrequest.PullRequest{
		Repository: c.Repository, Number: c.Number, Title: c.Title, User: c.User,
		State: pullrequest.State(c.State), BaseBranch: c.BaseBranch, BaseSHA: c.BaseSHA, Branch: c.Branch, SHA: c.SHA,
		MergedSHA: c.MergedSHA, MergedAt: c.MergedAt, Draft: c.Draft,
	}, at, f.repositories.NotEmptied(of, at), more...)
	if err != nil || newest || !asks {
		return err
	}
	return f.ask(ctx, request, at) // the evaluation reads the pull request as it is now
}

// mergedPlans is how long the plans of a pull request stay after the merge. Some apply
// only then. It is less than a day, so that they are gone after a day.
const mergedPlans = 23 * time.Hour

// plansGo returns from when on the plans of a pull request are to be removed. It reports
// false for a pull request that is open. One that was closed without a merge cannot be
// applied, so its plans go at once. If it is opened again, whoever applies has to plan
// again.
func plansGo(d delivery.Delivery, c *vcsevent.PullRequestSeen) (time.Time, bool) {
	at := happened(c.Moment, d)
	switch pullrequest.State(c.State) {
	case pullrequest.Closed:
		return at, true
	case pullrequest.Merged:
		if !c.MergedAt.IsZero() && c.MergedAt.Before(at) {
			at = c.MergedAt
		}
		return at.Add(mergedPlans), true
	default:
		return time.Time{}, false
	}
}

// beside calls a function for each entry of a list, several at a time, until one
// call fails.
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
