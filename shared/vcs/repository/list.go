package repository

import (
	"context"
	"fmt"
	"slices"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Query selects repositories of an installation. At most one of After, Before,
// AfterName and BeforeName is set.
type Query struct {
	// After and Before are cursors. Only repositories that come later than After,
	// or earlier than Before, in the list are returned; the one at the cursor is
	// not.
	After, Before string
	// AfterName and BeforeName are names. Only repositories with a larger name, or
	// with a smaller name, are returned.
	AfterName, BeforeName string
	// Limit is the maximum number of repositories.
	Limit int
}

// List returns repositories in the order of their names, byte by byte, and then of
// their ids. With Before or BeforeName the order is reversed.
func (s Store) List(ctx context.Context, of vcs.Installation, q Query) ([]Repository, error) {
	query := table.Query{
		Index: indexByName, Key: []table.Condition{ofInstallation(of)}, Limit: q.Limit, Backward: q.Before != "" || q.BeforeName != "",
	}
	switch {
	case q.After != "":
		query.Key = append(query.Key, table.Greater(attrByName, attr.String(q.After)))
	case q.Before != "":
		query.Key = append(query.Key, table.Less(attrByName, attr.String(q.Before)))
	case q.AfterName != "": // the first text that sorts after every cursor of the name
		query.Key = append(query.Key, table.AtLeast(attrByName, attr.String(q.AfterName+"\x01")))
	case q.BeforeName != "":
		query.Key = append(query.Key, table.Less(attrByName, attr.String(q.BeforeName+"\x00")))
	}
	page, err := s.table().Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("list repositories: %w", err)
	}
	list := make([]Repository, len(page.Items))
	for i, item := range page.Items {
		if list[i], err = decode(item); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// FullName is the owner and the name of a repository.
type FullName struct{ Owner, Name string }

// Names returns the present names of repositories by their ids. It also returns the
// names of those that are gone, if they are still stored. ids may hold at most
// table.MaxBatch different ids.
func (s Store) Names(ctx context.Context, of vcs.Installation, ids []vcs.ID) (map[vcs.ID]FullName, error) {
	names := map[vcs.ID]FullName{}
	batch := table.Batch{Names: []string{attrID, attrOwner, attrName}, Eventual: true}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		batch.Keys = append(batch.Keys, key(of.Repository(id)))
	}
	if len(batch.Keys) == 0 {
		return names, nil
	}
	items, err := s.table().BatchGet(ctx, batch)
	if err != nil {
		return nil, fmt.Errorf("read names of repositories: %w", err)
	}
	for _, item := range items {
		r := attr.Read(item)
		names[vcs.ID(r.String(attrID))] = FullName{Owner: r.String(attrOwner), Name: r.String(attrName)}
		if err := r.Err(); err != nil {
			return nil, fmt.Errorf("decode repository: %w", err)
		}
	}
	return names, nil
}
