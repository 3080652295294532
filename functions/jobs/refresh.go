package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
	"github.com/opsplane/opsplane/shared/vcs/repository"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// refresh lists the repositories of an installation and removes those that no
// longer exist there.
//
// A host's list changes while it is read, page by page. If a repository disappears
// from the first page, the first one of the second page moves to the first page,
// which is not read again. So the host is asked, by id, for each repository that
// was not listed: it may still exist.
type refresh struct {
	repositories repository.Store
	tasks        task.Store
	open         hostclient.Opener[host]
	pageSizes    map[vcs.VCS]int
	log          *slog.Logger
}

// place says how far a refresh is.
type place struct {
	// Began is the version of what is listed first. Every repository of the list is
	// then known as of this version or a later one.
	Began vcs.Version `json:"began"`
	// Page is the next page to list. It is 0 when all pages are listed, and the
	// comparison with the known repositories goes on.
	Page int `json:"page"`
	// After is the id of the repository that was compared last.
	After vcs.ID `json:"after,omitempty"`
	// Odd counts the entries of the host's list that could not be read. Why
	// describes the first of them.
	Odd int    `json:"odd,omitempty"`
	Why string `json:"why,omitempty"`
}

const (
	// maxParallelWrites is how many repositories are written at the same time.
	maxParallelWrites = 10
	// compared is the maximum number of repositories that are compared in a step.
	// missed is the maximum number of them for which the host is asked.
	compared = 500
	missed   = 16
)

func (r *refresh) step(ctx context.Context, run *task.Run, author change.Author) (bool, error) {
	client, err := r.open(ctx, run.Installation)
	if err != nil {
		return false, err
	}
	asked := askedAt(author.At, run.ID)
	at := place{Began: asked, Page: 1}
	if run.Note != "" {
		if err := json.Unmarshal([]byte(run.Note), &at); err != nil {
			return false, fmt.Errorf("read note: %w", err)
		}
	}
	// The clocks of two workers differ. But the host's response is never older than
	// the beginning of the refresh.
	look := looker{refresh: r, source: source{client, run.Installation, r.pageSizes[run.Installation.VCS], r.log}, run: run, author: author, version: max(asked, at.Began)}
	var done bool
	if at.Page > 0 {
		err = look.list(ctx, &at)
	} else {
		done, err = look.compare(ctx, &at)
	}
	if err != nil {
		return false, err
	}
	note, err := json.Marshal(at)
	run.Note = string(note)
	return done, err
}

// askedAt returns the version of what a host states now. Events have the second in
// which they happened. What happened in the present second must get a larger
// version, so that a response that is slightly older does not hide it.
func askedAt(now time.Time, task string) vcs.Version {
	at := now.Truncate(time.Second).Add(-time.Millisecond)
	return vcs.Moment{At: at}.Version(at, task)
}

// looker is one step of a refresh. What the host states in this step has the
// version.
type looker struct {
	*refresh
	source  source
	run     *task.Run
	author  change.Author
	version vcs.Version
}

// list reads and stores one page.
func (l looker) list(ctx context.Context, at *place) error {
	page, err := l.source.page(ctx, at.Page)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxParallelWrites)
	for _, seen := range page.seen {
		group.Go(func() error { return l.apply(ctx, seen) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	l.skip(ctx, page.odd, at)
	l.run.Progress.Done += int64(len(page.seen))
	l.run.Progress.Total = max(int64(page.total), l.run.Progress.Done)
	at.Page = page.next
	return nil
}

// skip records the entries of a page that cannot be read. What is known of their
// repositories stays. They count as not listed, so the host is asked for each by
// its id.
func (l looker) skip(ctx context.Context, odd []vcshost.Odd, at *place) {
	for _, each := range odd {
		if at.Odd++; at.Odd == 1 {
			at.Why = each.String()
		}
		l.log.LogAttrs(ctx, slog.LevelWarn, "repository left out of the host's list", slog.String("vcs", string(l.run.Installation.VCS)),
			slog.String("installation", string(l.run.Installation.ID)), slog.String("entry", each.String()))
	}
}

// leftOut returns, for a task's owner, what a completed refresh could not read. It
// is empty if there is nothing.
func leftOut(run *task.Run) string {
	var at place
	if run.Kind != task.RefreshRepositories || json.Unmarshal([]byte(run.Note), &at) != nil || at.Odd == 0 {
		return ""
	}
	return fmt.Sprintf("done; entries of %s's list that cannot be read, and were left out: %d, the first of them %s", run.Installation.VCS.Label(), at.Odd, at.Why)
}

func (l looker) apply(ctx context.Context, seen vcs.Description) error {
	return l.repositories.Apply(ctx, l.author, l.run.Installation, seen, l.version)
}

// compare finds the repositories that are known only by older facts, because they
// were not listed.
func (l looker) compare(ctx context.Context, at *place) (done bool, err error) {
	known, next, err := l.repositories.Live(ctx, l.run.Installation, at.After, compared)
	if err != nil {
		return false, err
	}
	var ids []vcs.ID
	for _, k := range known {
		if k.Version >= at.Began {
			continue
		}
		if len(ids) == missed {
			next = ids[missed-1] // the rest is for the next step
			break
		}
		ids = append(ids, k.ID)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxParallelLooks)
	for _, id := range ids {
		group.Go(func() error { return l.doubt(ctx, id, at.Began) })
	}
	if err := group.Wait(); err != nil {
		return false, err
	}
	at.After = next
	return next == "", nil
}

// doubt asks the host for a repository that was not listed. If the host has it, it
// is stored. If not, it is gone as of the beginning of the refresh, unless a newer
// fact about it is known. If the host cannot say, the repository stays, and the
// next refresh asks again.
func (l looker) doubt(ctx context.Context, id vcs.ID, began vcs.Version) error {
	seen, err := l.source.one(ctx, id)
	switch {
	case err == nil && seen != nil:
		return l.apply(ctx, *seen)
	case err == nil:
		gone := l.run.Installation.Repository(id)
		removal := repository.RemovalTask("", gone, began)
		_, err = l.repositories.Remove(ctx, l.author, gone, began, l.tasks.Writes(l.author, removal))
		return err
	case ctx.Err() != nil || vcshost.ConcernsInstallation(err):
		return err
	}
	l.log.LogAttrs(ctx, slog.LevelWarn, "repository in doubt", slog.String("vcs", string(l.run.Installation.VCS)),
		slog.String("installation", string(l.run.Installation.ID)), slog.String("repository", string(id)), slog.String("error", err.Error()))
	return nil
}
