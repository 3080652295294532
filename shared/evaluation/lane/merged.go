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
}

// Attributes of a merge's item.
const (
	attrDir       = "dir"
	attrWorkspace = "workspace"
	attrNumber    = "number"
	attrPlace     = "place"
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
			read := attr.Read(item)
			m := Merged{run.Dirspace{Dir: read.String(attrDir), Workspace: read.String(attrWorkspace)}, read.Int(attrNumber), read.Int(attrPlace)}
			if err := read.Err(); err != nil {
				return nil, fmt.Errorf("decode merge of %s: %w", r, err)
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

// RecordMerged stores merges. Of two merges that changed a dirspace, the one with the
// larger Place stays. It is safe to repeat, and a repetition completes what was
// interrupted.
func (s Store) RecordMerged(ctx context.Context, r vcs.Repository, list []Merged) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelWrites)
	for _, m := range list {
		g.Go(func() error {
			item := mergedKey(r, m.Dirspace)
			item[attrInstallation] = attr.String(string(r.Installation.ID))
			item[attrDir], item[attrWorkspace] = attr.String(m.Dir), attr.String(m.Workspace)
			item[attrNumber], item[attrPlace] = attr.Int(m.Number), attr.Int(m.Place)
			err := s.table().Put(ctx, item, table.AbsentOr(attrPlace, table.Less(attrPlace, attr.Int(m.Place))))
			if _, newer := table.ConditionFailed(err); err != nil && !newer {
				return fmt.Errorf("record merge of %s: %w", r, err)
			}
			return nil
		})
	}
	return g.Wait()
}
