package lane

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Merged is the newest merge of a pull request that changed a dirspace.
type Merged struct {
	run.Dirspace
	// Number is that of the pull request.
	Number int64
	// Place is the place of the merge in the order of the repository.
	Place int64
	// EarlierNumber and EarlierPlace are those of the merge before it, which is of another
	// pull request. Both are 0 if there is none.
	EarlierNumber, EarlierPlace int64
}

// Other returns the newest merge that is not of a pull request. The number is 0 if there
// is none.
func (m Merged) Other(than int64) (number, place int64) {
	if m.Number != than {
		return m.Number, m.Place
	}
	return m.EarlierNumber, m.EarlierPlace
}

// with returns a merge with another one of the same dirspace.
func (m Merged) with(other Merged) Merged {
	switch {
	case m.Number == other.Number:
	case m.Place < other.Place:
		other.EarlierNumber, other.EarlierPlace = m.Number, m.Place
		return other
	case m.EarlierPlace < other.Place:
		m.EarlierNumber, m.EarlierPlace = other.Number, other.Place
	}
	return m
}

// Attributes of a merge's item.
const (
	attrDir       = "dir"
	attrWorkspace = "workspace"
	attrNumber    = "number"
	attrPlace     = "place"
	// Of the merge before it. They are absent if there is none.
	attrEarlierNumber = "earlier_number"
	attrEarlierPlace  = "earlier_place"
)

// mergedKey returns the key of a dirspace's merge. A directory and a workspace may be
// long, and directories have every character, so the key has their digest.
func mergedKey(r vcs.Repository, d run.Dirspace) attr.Item {
	sum := sha256.Sum256([]byte(d.Dir + "\x00" + d.Workspace))
	return key(r, sortMerged+hex.EncodeToString(sum[:]))
}

// Merged returns the newest merges that changed some dirspaces, strongly consistent. A
// dirspace without one is left out. No dirspace may be named twice.
func (s Store) Merged(ctx context.Context, r vcs.Repository, list []run.Dirspace) (map[run.Dirspace]Merged, error) {
	found := map[run.Dirspace]Merged{}
	for some := range slices.Chunk(list, table.MaxBatch) {
		keys := make([]attr.Item, len(some))
		for i, d := range some {
			keys[i] = mergedKey(r, d)
		}
		items, err := s.table().BatchGet(ctx, table.Batch{Keys: keys})
		if err != nil {
			return nil, fmt.Errorf("read merges of %s: %w", r, err)
		}
		for _, item := range items {
			m, err := decodeMerged(r, item)
			if err != nil {
				return nil, err
			}
			if mine(r, item) {
				found[m.Dirspace] = m
			}
		}
	}
	return found, nil
}

// parallelWrites is how many items are written at the same time.
const parallelWrites = 10

func decodeMerged(of vcs.Repository, item attr.Item) (Merged, error) {
	r := attr.Read(item)
	m := Merged{Dirspace: run.Dirspace{Dir: r.String(attrDir), Workspace: r.String(attrWorkspace)}, Number: r.Int(attrNumber), Place: r.Int(attrPlace)}
	if r.Has(attrEarlierPlace) {
		m.EarlierNumber, m.EarlierPlace = r.Int(attrEarlierNumber), r.Int(attrEarlierPlace)
	}
	if err := r.Err(); err != nil {
		return m, fmt.Errorf("decode merge of %s: %w", of, err)
	}
	return m, nil
}

// recordTries is how often a merge is stored again after another writer was first.
const recordTries = 5

// RecordMerged stores merges. Of the merges that changed a dirspace, the two newest stay,
// which are of two pull requests. It is safe to repeat, and a repetition completes what
// was interrupted.
func (s Store) RecordMerged(ctx context.Context, r vcs.Repository, list []Merged) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelWrites)
	for _, m := range list {
		g.Go(func() error { return s.recordMerged(ctx, r, m) })
	}
	return g.Wait()
}

func (s Store) recordMerged(ctx context.Context, r vcs.Repository, m Merged) error {
	var failed error
	for range table.Tries(ctx, recordTries) {
		item, err := s.table().Get(ctx, mergedKey(r, m.Dirspace))
		if err != nil {
			return fmt.Errorf("read merge of %s: %w", r, err)
		}
		made, unchanged := m, []table.Condition{table.Absent("pk")}
		if item != nil {
			was, err := decodeMerged(r, item)
			if err != nil {
				return err
			}
			unchanged = []table.Condition{table.Equal(attrPlace, attr.Int(was.Place)), table.Absent(attrEarlierPlace)}
			if was.EarlierPlace != 0 {
				unchanged[1] = table.Equal(attrEarlierPlace, attr.Int(was.EarlierPlace))
			}
			if mine(r, item) { // those of another installation do not count any more
				if made = was.with(m); made == was {
					return nil
				}
			}
		}
		failed = s.table().Put(ctx, mergedItem(r, made), unchanged...)
		if _, other := table.ConditionFailed(failed); failed == nil || !other {
			break
		}
	}
	if failed != nil {
		return fmt.Errorf("record merge of %s: %w", r, failed)
	}
	return ctx.Err()
}

func mergedItem(r vcs.Repository, m Merged) attr.Item {
	item := mergedKey(r, m.Dirspace)
	item[attrInstallation] = attr.String(string(r.Installation.ID))
	item[attrDir], item[attrWorkspace] = attr.String(m.Dir), attr.String(m.Workspace)
	item[attrNumber], item[attrPlace] = attr.Int(m.Number), attr.Int(m.Place)
	if m.EarlierPlace != 0 {
		item[attrEarlierNumber], item[attrEarlierPlace] = attr.Int(m.EarlierNumber), attr.Int(m.EarlierPlace)
	}
	return item
}
