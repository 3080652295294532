package runstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// maxTries is how often a change of a run is tried while other writers change it.
const maxTries = 8

// errStop says that a change is not to be made. The record is returned as it is.
var errStop = errors.New("nothing is to be changed")

// errStale says that an item is not as it was read, so that a change must begin anew.
var errStale = errors.New("an item was changed meanwhile")

// transition changes a run by one transaction, on condition that its item is as it
// was read. The function gets the record, changes it, and returns more writes of the
// same transaction; or it returns errStop or another error, and nothing is written.
// It is called again after each new reading. transition returns the record as it is
// afterwards, and reports whether this call changed it.
func (s Store) transition(ctx context.Context, id run.ID, author change.Author, decide func(*record) ([]table.Write, error)) (record, bool, error) {
	for n := range maxTries {
		if err := table.Pause(ctx, n); err != nil {
			return record{}, false, err
		}
		was, err := s.visible(ctx, id)
		if err != nil {
			return record{}, false, err
		}
		rec, err := s.try(ctx, was, author, decide)
		switch {
		case errors.Is(err, errStop):
			return was, false, nil
		case !errors.Is(err, errStale):
			return rec, err == nil, err
		}
	}
	return record{}, false, ErrContended
}

// try makes one try of a transition from a record that was read. It returns errStale
// if a condition does not hold.
func (s Store) try(ctx context.Context, was record, author change.Author, decide func(*record) ([]table.Write, error)) (record, error) {
	rec := was
	more, err := decide(&rec)
	if err != nil {
		return was, err
	}
	rec.Version++
	err = s.table().Transact(ctx, append(s.writes(was, rec, author), more...)...)
	if err == nil {
		return rec, nil
	}
	if !unmet(err) {
		// The transaction may have taken effect although its response was lost.
		if now, reading := s.read(ctx, was.ID); reading == nil && now.Version == rec.Version && now.request == author.Request {
			return now, nil
		}
	}
	if unmet(err) || table.Contended(err) {
		return was, errStale
	}
	return was, fmt.Errorf("write run: %w", err)
}

// unmet reports whether a condition of a transaction did not hold.
func unmet(err error) bool {
	return slices.ContainsFunc(table.Reasons(err), func(r table.Reason) bool { return r.Code == table.CodeCondition })
}

// writes returns the writes of a transition: the run's own item, which comes first
// and is the only one with a condition, its row among the active runs, its reminder,
// and the rows of the index that tell its state.
func (s Store) writes(was, rec record, author change.Author) []table.Write {
	edit := table.Change(Key(rec.ID)).Set("version", attr.Int(rec.Version)).SetAll(author.All()).
		If(table.Equal("version", attr.Int(was.Version)), table.Equal("state", attr.String(string(was.State))))
	old, status := was.status(), rec.status()
	for _, name := range changing {
		if status[name] != nil {
			edit.Set(name, status[name])
		} else if old[name] != nil {
			edit.Remove(name)
		}
	}
	writes := append([]table.Write{s.table().WriteUpdate(edit), s.active(&rec)}, s.remind(was.due, rec.due)...)
	return append(writes, runindex.Transition(s.table(), was.Run, rec.Run, author.At, rec.ttl)...)
}

// end sets the state of a run that has ended. What follows its end is due in any case:
// somebody may wait for it.
func (r *record) end(to run.State, at time.Time) {
	r.State, r.EndedAt, r.due = to, at.Truncate(time.Millisecond).UTC(), queue.Reminder{}
	r.dueAt(EndedList, at.Add(endedWake))
}
