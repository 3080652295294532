package runstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/erasure"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Times of a creation.
const (
	// unfinishedAfter is how long a creation may take. What is left of it later is
	// removed.
	unfinishedAfter = time.Hour
	// keepUnfinished is when the table removes the item of such a run by itself.
	keepUnfinished = 24 * time.Hour
	// dispatchWake is when the schedule looks at a new run that the stream has not
	// shown to the dispatcher.
	dispatchWake = time.Minute
)

// MaxLast is the largest number of writes of Creation.Last.
const MaxLast = table.MaxWrites - 9 - runindex.MaxLast

// Creation is a run that is to be created, and what is written with it.
type Creation struct {
	// Spec is what never changes about the run. DirspaceCount is set by Create.
	Spec     run.Spec
	Token    Token
	Manifest Manifest
	// Idempotency makes a repeated request return the first one's run. It is zero
	// where no request is repeated.
	Idempotency Idempotency
	// Before writes what other packages keep of the run and what does not fit in the
	// last transaction. It is called when the run's item exists in the state
	// Creating. It may be nil.
	Before func(context.Context) error
	// Check is called before each try of the last transaction, when the place of the run
	// in the order of its repository was read. If another run of the repository is
	// created after the call, or an unlock takes place, the transaction fails and Check
	// is called again. So what it finds about the repository's runs holds when the run
	// becomes Queued, as far as new runs and unlocks go. An error of it ends the
	// creation. It may be nil.
	Check func(context.Context) error
	// Last returns what other packages write in the transaction that makes the run
	// Queued: at most MaxLast writes. They must write items of other keys than this
	// package. It is called again if the run gets another Seq. It may be nil.
	Last func(run.Run) []table.Write
}

// Created is the outcome of a creation.
type Created struct {
	Run run.Run
	// Existing says that an earlier request with the same idempotency key made the
	// run.
	Existing bool
}

// Create creates a run at author.At and makes it Queued.
//
// Nobody sees the run before its last transaction. A creation that ends before it
// leaves items that CreatingList names. The caller must not use the same id for
// another run. Calling Create again in the same request, with the same id, continues
// a creation that failed.
func (s Store) Create(ctx context.Context, c Creation, author change.Author) (Created, error) {
	c.Spec.DirspaceCount = len(c.Spec.Dirspaces)
	if err := errors.Join(c.Spec.Validate(), c.Manifest.validate(c.Spec.ID)); err != nil {
		return Created{}, fmt.Errorf("create run: %w", err)
	}
	found, there, removed, err := s.earlier(ctx, c.Idempotency, author.At)
	if err != nil || there {
		return found, err
	}
	rec := record{
		Run:      run.Run{Spec: c.Spec, CreatedAt: author.At.UTC(), State: run.Creating},
		manifest: c.Manifest.Object, token: c.Token, ttl: author.At.Add(keepUnfinished),
	}
	parts, err := rec.place()
	if err != nil {
		return Created{}, err
	}
	if len(c.Manifest.Body) > 0 {
		item := manifestKey(rec.ID)
		item["body"] = attr.Bytes(c.Manifest.Body)
		parts = append(parts, item)
	}
	if err := s.begin(ctx, &rec, author); err != nil {
		return Created{}, err
	}
	// The chunks go before the rows of the index, so that a removal finds the rows.
	for _, items := range [][]attr.Item{parts, runindex.Early(rec.Run)} {
		for _, item := range items {
			item[attrTTL] = attr.Time(author.At.Add(s.Limits.Keep))
		}
		if err := s.putAll(ctx, items); err != nil {
			return Created{}, fmt.Errorf("write parts of a run: %w", err)
		}
	}
	if c.Before != nil {
		if err := c.Before(ctx); err != nil {
			return Created{}, err
		}
	}
	return s.enqueue(ctx, rec, c, removed, author)
}

// begin writes the run's item in the state Creating, with its reminder.
func (s Store) begin(ctx context.Context, rec *record, author change.Author) error {
	rec.dueAt(CreatingList, author.At.Add(unfinishedAfter))
	item := rec.static()
	for name, value := range rec.status() {
		item[name] = value
	}
	item["version"] = attr.Int(0)
	author.AddTo(item)
	err := s.table().Transact(ctx, append([]table.Write{s.table().WritePut(item, table.Absent("pk"))}, s.remind(queue.Reminder{}, rec.due)...)...)
	if err == nil {
		return nil
	}
	// An earlier try of this request may have written it.
	found, reading := s.read(ctx, rec.ID)
	switch {
	case reading == nil && found.request == author.Request:
		return nil // it may be queued already: enqueue finds that
	case unmet(err):
		return fmt.Errorf("create run: the id %s is taken", rec.ID)
	}
	return fmt.Errorf("create run: %w", err)
}

// maxSeqTries is how often a creation tries to get a place in the order of its
// repository's runs while others are created at the same time. The same holds for an
// unlock.
const maxSeqTries = 20

// enqueue makes a run Queued, in one transaction. removed is the run that the idempotency
// key named before.
func (s Store) enqueue(ctx context.Context, was record, c Creation, removed run.ID, author change.Author) (Created, error) {
	for n := range maxSeqTries {
		if err := table.Pause(ctx, n); err != nil {
			return Created{}, err
		}
		lane, err := s.counters(ctx, was.Repository)
		if err != nil {
			return Created{}, err
		}
		if c.Check != nil {
			if err := c.Check(ctx); err != nil {
				return Created{}, err
			}
		}
		rec := was
		rec.Seq, rec.State, rec.Version, rec.ttl = lane.seq+1, run.Queued, 1, author.At.Add(s.Limits.Keep)
		rec.dueAt(DispatchList, author.At.Add(dispatchWake))
		err = s.table().Transact(ctx, s.queueing(was, rec, lane, c, removed, author)...)
		if err == nil {
			return Created{Run: rec.Run}, nil
		}
		done, stop, err := s.resolve(ctx, rec, c, author, err)
		if stop {
			return done, err
		}
	}
	return Created{}, ErrContended
}

// queueing returns the writes of the transaction that makes a run Queued. The run's
// own item comes first, the counter of the lane second.
func (s Store) queueing(was, rec record, lane counters, c Creation, removed run.ID, author change.Author) []table.Write {
	edit := table.Change(Key(rec.ID)).SetAll(rec.status()).Set("version", attr.Int(rec.Version)).SetAll(author.All()).
		If(table.Equal("state", attr.String(string(run.Creating))), table.Absent(erasure.Attr))
	named := in(history(rec.Repository), sortableSeq(rec.Seq))
	named[attrID], named[attrTTL] = attr.String(string(rec.ID)), attr.Time(rec.ttl)
	named["installation"] = attr.String(string(rec.Repository.Installation.ID))
	writes := append([]table.Write{s.table().WriteUpdate(edit)}, s.takeSeq(rec.Repository, lane)...)
	writes = append(writes, s.active(&rec), s.table().WritePut(named))
	writes = append(writes, s.remind(was.due, rec.due)...)
	writes = append(writes, s.writeNewest(&rec)...)
	writes = append(writes, runindex.Last(s.table(), rec.Run, rec.ttl)...)
	if c.Idempotency.given() {
		writes = append(writes, s.remember(c.Idempotency, rec.ID, removed, author.At))
	}
	if c.Last != nil {
		writes = append(writes, c.Last(rec.Run)...)
	}
	return writes
}

// resolve finds out what a failed transaction of enqueue means. stop is false if it
// is to be tried again.
func (s Store) resolve(ctx context.Context, rec record, c Creation, author change.Author, failed error) (done Created, stop bool, err error) {
	now, err := s.read(ctx, rec.ID)
	switch {
	case err == nil && now.State != run.Creating && !now.leaving:
		now.Dirspaces = rec.Dirspaces
		return Created{Run: now.Run}, true, nil // an earlier try took effect
	case gone(err) || err == nil && now.leaving:
		return Created{}, true, fmt.Errorf("create run: it was removed before it was finished: %w", fault.ErrNotFound)
	case err != nil:
		return Created{}, true, fmt.Errorf("create run: %w", errors.Join(failed, err))
	}
	if found, there, err := s.Earlier(ctx, c.Idempotency, author.At); err != nil || there {
		return found, true, err
	}
	if _, taken := table.ConditionFailedAt(failed, 1); taken || table.Contended(failed) {
		return Created{}, false, nil
	}
	return Created{}, true, fmt.Errorf("create run: %w", failed)
}
