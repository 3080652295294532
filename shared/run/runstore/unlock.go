package runstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Unlocked is the last unlock of an origin. Runs of the origin whose Seq is at most Seq
// are void: what they planned does not count any more. The zero Unlocked ends none.
type Unlocked struct {
	Seq int64
	// At is when it was asked for.
	At time.Time
	// By is the name of the person who asked.
	By string
}

// Ends reports whether the unlock makes a run of its origin void.
func (u Unlocked) Ends(seq int64) bool { return seq <= u.Seq }

func (u Unlocked) reason() run.Reason { return run.ReasonUnlocked(u.By) }

// unlockPrefix begins the sort key of an unlock. The origin follows.
const unlockPrefix = "UNLOCK#"

func unlockKey(r vcs.Repository, origin run.Origin) attr.Item {
	return in(lane(r), unlockPrefix+string(origin))
}

// Unlock makes all runs of an origin void that exist now, and aborts those that are
// queued or running. by is the name that is shown. It returns the runs that it
// aborted. It is safe to repeat: a repetition continues what was interrupted, and
// makes those runs void too that were created in between. more are further writes of
// the transaction that stores the unlock. They have no conditions.
func (s Store) Unlock(ctx context.Context, r vcs.Repository, origin run.Origin, by string, author change.Author, more ...table.Write) ([]run.Run, error) {
	u, err := s.storeUnlock(ctx, r, origin, by, author, more)
	if err != nil {
		return nil, err
	}
	rows, err := s.Active(ctx, r)
	if err != nil {
		return nil, err
	}
	var aborted []run.Run
	for _, a := range rows {
		if a.Origin != origin || !a.State.Active() || !u.Ends(a.Seq) {
			continue
		}
		found, changed, err := s.Abort(ctx, a.ID, Abortion{Reason: u.reason()}, author)
		if err != nil && !gone(err) {
			return aborted, err
		}
		if changed {
			aborted = append(aborted, found)
		}
	}
	return aborted, nil
}

// storeUnlock stores an unlock, with a place of its own in the order of the repository's
// runs. The transaction takes the place. So a creation that has read the order before
// fails, and checks again. Of two unlocks at the same time, the later one stays.
func (s Store) storeUnlock(ctx context.Context, r vcs.Repository, origin run.Origin, by string, author change.Author, more []table.Write) (Unlocked, error) {
	u := Unlocked{At: author.At, By: strings.ToValidUTF8(by[:min(len(by), run.MaxText)], "")}
	failed := error(ErrContended)
	for n := range maxSeqTries {
		if err := table.Pause(ctx, n); err != nil {
			return Unlocked{}, err
		}
		lane, err := s.counters(ctx, r)
		if err != nil {
			return Unlocked{}, err
		}
		u.Seq = lane.seq + 1
		edit := table.Change(unlockKey(r, origin)).Set(attrSeq, attr.Int(u.Seq)).Set("at", attr.Int(u.At.UnixMilli())).
			Set("by", attr.String(u.By)).Set("installation", attr.String(string(r.Installation.ID))).SetAll(author.All())
		writes := append([]table.Write{s.table().WriteUpdate(edit)}, s.takeSeq(r, lane)...)
		err = s.table().Transact(ctx, append(writes, more...)...)
		switch {
		case err == nil:
			return u, nil
		case table.Ambiguous(err):
			// If only the response was lost, the unlock has its place.
			if found, reading := s.Unlocked(ctx, r, origin); reading == nil && found.Seq == u.Seq {
				return found, nil
			}
			failed = err
		case !unmet(err) && !table.Contended(err):
			return Unlocked{}, fmt.Errorf("store unlock: %w", err)
		}
	}
	return Unlocked{}, fmt.Errorf("store unlock: %w", failed)
}

// Unlocked reads the last unlock of an origin, strongly consistent.
func (s Store) Unlocked(ctx context.Context, r vcs.Repository, origin run.Origin) (Unlocked, error) {
	item, err := s.table().Get(ctx, unlockKey(r, origin))
	if err != nil {
		return Unlocked{}, fmt.Errorf("read unlock: %w", err)
	}
	return decodeUnlocked(item)
}

func decodeUnlocked(item attr.Item) (Unlocked, error) {
	read := attr.Read(item)
	u := Unlocked{Seq: read.Int(attrSeq), At: millis(read, "at"), By: read.String("by")}
	if err := read.Err(); err != nil {
		return Unlocked{}, fmt.Errorf("decode unlock: %w", err)
	}
	return u, nil
}

// void reports whether an unlock has made a run void.
func (s Store) void(ctx context.Context, r run.Run) (Unlocked, bool, error) {
	u, err := s.Unlocked(ctx, r.Repository, r.Origin())
	return u, err == nil && u.Ends(r.Seq), err
}

// Unlocks reads the unlocks of the origins of runs, strongly consistent. It returns
// those that have made one of the runs void, with the times of the unlocks. It reads
// each unlock once, a hundred at a time.
func (s Store) Unlocks(ctx context.Context, list []run.Run) (map[run.ID]time.Time, error) {
	var keys []attr.Item
	runs := map[string][]run.Run{} // by the key of their unlock
	for _, r := range list {
		key := unlockKey(r.Repository, r.Origin())
		name := nameOf(key)
		if runs[name] == nil {
			keys = append(keys, key)
		}
		runs[name] = append(runs[name], r)
	}
	found := map[run.ID]time.Time{}
	for part := range slices.Chunk(keys, table.MaxBatch) {
		items, err := s.table().BatchGet(ctx, table.Batch{Keys: part})
		if err != nil {
			return nil, fmt.Errorf("read unlocks: %w", err)
		}
		for _, item := range items {
			u, err := decodeUnlocked(item)
			if err != nil {
				return nil, err
			}
			for _, r := range runs[nameOf(item)] {
				if u.Ends(r.Seq) {
					found[r.ID] = u.At
				}
			}
		}
	}
	return found, nil
}

// unlockReader reads the unlocks of a repository, each origin once.
type unlockReader struct {
	store      Store
	repository vcs.Repository
	known      map[run.Origin]Unlocked
}

func (u *unlockReader) of(ctx context.Context, origin run.Origin) (Unlocked, error) {
	if found, ok := u.known[origin]; ok {
		return found, nil
	}
	found, err := u.store.Unlocked(ctx, u.repository, origin)
	if err != nil {
		return Unlocked{}, err
	}
	if u.known == nil {
		u.known = map[run.Origin]Unlocked{}
	}
	u.known[origin] = found
	return found, nil
}

// endVoid aborts a queued run that an unlock has made void, and reports whether it
// is void. The unlock itself may have been interrupted before it did so.
func (s Store) endVoid(ctx context.Context, unlocks *unlockReader, a Active, author change.Author) (bool, error) {
	u, err := unlocks.of(ctx, a.Origin)
	if err != nil || !u.Ends(a.Seq) {
		return false, err
	}
	_, _, err = s.Abort(ctx, a.ID, Abortion{Reason: u.reason(), OnlyQueued: true}, author)
	if errors.Is(err, ErrLost) || gone(err) {
		err = nil
	}
	return true, err
}
