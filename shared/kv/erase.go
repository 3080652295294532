package kv

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/kv/kvitem"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// keyErasers is how many keys Erase handles at the same time.
const keyErasers = 8

// Erase deletes keys of a namespace with all their rows, including drafts and rows
// with write capabilities that the caller does not have. It handles at most limit
// keys, in the order of their bytes. It begins after the cursor; an empty cursor
// means the first key. It returns how many keys had rows, and the cursor for the
// next call. The cursor is empty when Erase has seen all keys. The collector
// removes the rows and bodies later. Another call deletes what was written since.
//
// With clean, Erase also removes the heads of keys without rows, which hold the
// keys' names. The caller must not do that while a request that has read a head may
// still run: it must wait longer than garbage.WriteRest after the last moment at
// which anybody could write.
func (s *Store) Erase(ctx context.Context, by Caller, after []byte, limit int, clean bool) (erased int, next []byte, err error) {
	q := table.Query{
		Key: []table.Condition{table.Equal("pk", attr.String(Stored(by.Installation)))}, Names: []string{"sk", kvitem.Version, kvitem.More}, Limit: limit,
	}
	if len(after) > 0 {
		q.Key = append(q.Key, table.Greater("sk", attr.Bytes(after)))
	}
	found, err := s.table.Query(ctx, q)
	if err != nil {
		return 0, nil, fmt.Errorf("query heads: %w", err)
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(keyErasers)
	for _, it := range found.Items {
		h, err := decodeHead(it)
		if err != nil {
			return 0, nil, errors.Join(err, group.Wait())
		}
		if h.exists() || h.more {
			erased++
		}
		group.Go(func() error { return s.eraseKey(gctx, by, h, clean) })
		next = headSort(h.key)
	}
	if found.Next == nil {
		next = nil
	}
	return erased, next, group.Wait()
}

// eraseKey deletes one key and, with clean, also its head.
func (s *Store) eraseKey(ctx context.Context, by Caller, h head, clean bool) error {
	if h.exists() || h.more {
		d := removal{Store: s, Caller: by, key: h.key, force: true}
		if _, err := d.all(ctx); err != nil {
			return err
		}
	}
	if !clean {
		return nil
	}
	err := s.table.Delete(ctx, headKey(by.Installation, h.key), table.Absent(kvitem.Version), table.Absent(kvitem.More))
	if _, written := table.ConditionFailed(err); err != nil && !written {
		return fmt.Errorf("remove head: %w", err)
	}
	return nil
}
