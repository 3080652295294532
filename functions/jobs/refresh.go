package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/change"
	"github.com/opsplane/opsplane/shared/repository"
	"github.com/opsplane/opsplane/shared/task"
	"github.com/opsplane/opsplane/shared/vcsevent"
)

// source is where the repositories of installations are listed.
type source interface {
	// page lists a part, from number 1 on. Unless thorough, it says only which
	// repositories there are, and asks nothing else of them.
	page(ctx context.Context, installation string, number int, thorough bool) (listed, error)
}

// listed is a part of the repositories of an installation.
type listed struct {
	seen []repository.Seen
	// next is the number of the next part; 0 after the last.
	next int
	// total is how many repositories there are; 0 if the host does not say.
	total int
}

// refresh lists the repositories of an installation and removes those that are
// not there any more.
//
// A host's list changes while it is read, page by page: what goes from the first
// page moves the first of the second one there, where nobody looks again. So
// what a list lacks is looked for in another one, and what both lack is gone.
type refresh struct {
	repositories repository.Store
	tasks        task.Store
	sources      map[string]source
}

// place is where a refresh stands.
type place struct {
	// Began is the version of what is listed first: all that the lists have is
	// known as of it, or of a later one.
	Began string `json:"began"`
	// Again says that the second list is read.
	Again bool `json:"again,omitempty"`
	// Page is the next to be listed; 0 when all are, and what is known is
	// compared.
	Page int `json:"page"`
	// After is the id of the repository that was compared last.
	After string `json:"after,omitempty"`
}

const (
	// side is how many repositories are written beside each other.
	side = 10
	// compared is how many are compared in a step.
	compared = 500
)

func (r *refresh) step(ctx context.Context, run *task.Run, author change.Author) (bool, error) {
	source, ok := r.sources[run.VCS]
	if !ok {
		return false, fmt.Errorf("there is no VCS %q", run.VCS)
	}
	asked := askedAt(author.At, run.ID)
	at := place{Began: asked, Page: 1}
	if run.Note != "" {
		if err := json.Unmarshal([]byte(run.Note), &at); err != nil {
			return false, fmt.Errorf("read note: %w", err)
		}
	}
	var done bool
	var err error
	if at.Page > 0 {
		// Clocks of two workers differ. What is listed is never older than the beginning.
		err = r.list(ctx, source, run, author, &at, max(asked, at.Began))
	} else {
		done, err = r.compare(ctx, run, author, &at)
	}
	if err != nil {
		return false, err
	}
	note, err := json.Marshal(at)
	run.Note = string(note)
	return done, err
}

// askedAt is the version of what a host answers now. Events have the second in
// which they happened: what happened in this second comes behind it, so that an
// answer that is a moment older does not hide it.
func askedAt(now time.Time, task string) string {
	at := now.Truncate(time.Second).Add(-time.Millisecond)
	return vcsevent.Version{At: at}.Text(at, task)
}

// list takes in one page.
func (r *refresh) list(ctx context.Context, source source, run *task.Run, author change.Author, at *place, version string) error {
	page, err := source.page(ctx, run.Installation, at.Page, !at.Again)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(side)
	for _, seen := range page.seen {
		group.Go(func() error {
			return r.repositories.Apply(ctx, author, run.VCS, run.Installation, seen, version)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if !at.Again {
		run.Progress.Done += int64(len(page.seen))
		run.Progress.Total = max(int64(page.total), run.Progress.Done)
	}
	at.Page = page.next
	return nil
}

// compare looks for what is known and was not listed: that is a reason for a
// second list, and after that one it is gone.
func (r *refresh) compare(ctx context.Context, run *task.Run, author change.Author, at *place) (done bool, err error) {
	known, next, err := r.repositories.Live(ctx, run.VCS, run.Installation, at.After, compared)
	if err != nil {
		return false, err
	}
	for _, k := range known {
		if k.Version >= at.Began {
			continue
		}
		if !at.Again {
			at.Again, at.Page, at.After = true, 1, ""
			return false, nil
		}
		removal := repository.RemovalTask("", run.VCS, run.Installation, k.ID, at.Began)
		_, err := r.repositories.Remove(ctx, author, run.VCS, run.Installation, k.ID, at.Began, r.tasks.Writes(author, removal))
		if err != nil {
			return false, err
		}
	}
	at.After = next
	return next == "", nil
}
