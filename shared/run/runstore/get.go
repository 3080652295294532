package runstore

import (
	"context"
	"fmt"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Get reads a run with its dirspaces, strongly consistent. It returns
// fault.ErrNotFound for a run that is unknown or not visible yet.
func (s Store) Get(ctx context.Context, id run.ID) (run.Run, error) {
	rec, err := s.visible(ctx, id)
	if err != nil {
		return run.Run{}, err
	}
	if rec.chunks > 0 {
		if rec.Dirspaces, err = s.Dirspaces(ctx, id); err != nil {
			return run.Run{}, err
		}
	}
	return rec.Run, nil
}

// visible reads a run's own item. It returns fault.ErrNotFound for a run that nobody
// may see.
func (s Store) visible(ctx context.Context, id run.ID) (record, error) {
	rec, err := s.read(ctx, id)
	if err == nil && (!rec.State.Visible() || rec.leaving) {
		err = fault.ErrNotFound
	}
	return rec, err
}

// read reads a run's own item, in any state.
func (s Store) read(ctx context.Context, id run.ID) (record, error) {
	item, err := s.table().Get(ctx, Key(id))
	if err != nil {
		return record{}, fmt.Errorf("read run: %w", err)
	}
	if item == nil {
		return record{}, fault.ErrNotFound
	}
	return decode(item)
}

// Many reads the own items of several runs, strongly consistent. It leaves out runs
// that are unknown or not visible yet. Runs whose dirspaces are in
// chunks come without them: DirspaceCount says how many there are. There must be
// at most table.MaxBatch ids, all different.
func (s Store) Many(ctx context.Context, ids []run.ID) (map[run.ID]run.Run, error) {
	found := make(map[run.ID]run.Run, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	keys := make([]table.Item, len(ids))
	for i, id := range ids {
		keys[i] = Key(id)
	}
	items, err := s.table().BatchGet(ctx, table.Batch{Keys: keys})
	if err != nil {
		return nil, fmt.Errorf("read runs: %w", err)
	}
	for _, item := range items {
		rec, err := decode(item)
		if err != nil {
			return nil, err
		}
		if rec.State.Visible() && !rec.leaving {
			found[rec.ID] = rec.Run
		}
	}
	return found, nil
}

// linkKey returns the key of the item that leads from what a host started to the
// run.
func linkKey(r vcs.Repository, id string) attr.Item {
	return in(attr.Item{"pk": attr.String(fmt.Sprintf("CI#%s#%s#%s", r.Installation.VCS, r.ID, id))}, sortKey)
}

// link returns the write of such an item. If a CI run asks for a second run, its
// link leads to that one: it is the one that the CI run works on.
func (s Store) link(r *record, id string) table.Write {
	item := linkKey(r.Repository, id)
	item[attrID], item[attrTTL] = attr.String(string(r.ID)), attr.Time(r.ttl)
	return s.table().WritePut(item)
}

// ByCIRun reads the run that a CI run of the repository works on, strongly
// consistent. id is the id with which the runner asked for its work, or that the
// dispatch returned. It returns fault.ErrNotFound if there is no such run.
func (s Store) ByCIRun(ctx context.Context, r vcs.Repository, id string) (run.Run, error) {
	item, err := s.table().Get(ctx, linkKey(r, id))
	if err != nil {
		return run.Run{}, fmt.Errorf("read run of a CI run: %w", err)
	}
	if item == nil {
		return run.Run{}, fault.ErrNotFound
	}
	read := attr.Read(item)
	found := run.ID(read.String(attrID))
	if err := read.Err(); err != nil {
		return run.Run{}, fmt.Errorf("decode run of a CI run: %w", err)
	}
	return s.Get(ctx, found)
}
