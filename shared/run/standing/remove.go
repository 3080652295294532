package standing

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// RemoveRepository removes what is known about a repository, at most limit items, and
// reports whether all are removed. It is safe to repeat, and a repetition continues.
// The runs of the repository must be removed before.
func (s Store) RemoveRepository(ctx context.Context, r vcs.Repository, limit int) (bool, error) {
	mine := table.BeginsWith("sk", attr.String(string(r.ID)+tab))
	for _, key := range [][]table.Condition{
		{table.Equal("pk", rowsOf(r.Installation)), mine},
		{table.Equal("pk", outputsOf(r.Installation)), mine},
		{table.Equal("pk", pullsOf(r))},
	} {
		page, err := s.Table.Query(ctx, table.Query{Key: key, Names: []string{"pk", "sk"}, Limit: max(limit, 1)})
		if err != nil {
			return false, fmt.Errorf("list what stands where: %w", err)
		}
		if err := s.remove(ctx, page.Items); err != nil {
			return false, err
		}
		if limit -= len(page.Items); page.Next != nil || limit < 0 {
			return false, nil
		}
	}
	// The names go last: RemoveInstallation finds the repository by them.
	names, err := s.Table.All(ctx, table.Query{Key: []table.Condition{table.Equal("pk", namesOf(r.Installation))}, Names: []string{"pk", "sk"}})
	if err != nil {
		return false, fmt.Errorf("list names of repositories: %w", err)
	}
	names = slices.DeleteFunc(names, func(item attr.Item) bool { return idOf(item) != r.ID })
	return true, s.remove(ctx, names)
}

// RemoveInstallation removes what is known about the repositories of an installation,
// at most limit items, and reports whether all are removed. It is safe to repeat, and
// a repetition continues.
func (s Store) RemoveInstallation(ctx context.Context, of vcs.Installation, limit int) (bool, error) {
	page, err := s.Table.Query(ctx, table.Query{Key: []table.Condition{table.Equal("pk", namesOf(of))}, Limit: 1})
	if err != nil {
		return false, fmt.Errorf("list names of repositories: %w", err)
	}
	if len(page.Items) == 0 {
		return true, nil
	}
	_, err = s.RemoveRepository(ctx, of.Repository(idOf(page.Items[0])), limit)
	return false, err // there may be another repository
}

func (s Store) remove(ctx context.Context, keys []attr.Item) error {
	for part := range slices.Chunk(keys, table.MaxDeletes) {
		if err := s.Table.BatchDelete(ctx, part, nil); err != nil {
			return fmt.Errorf("remove what stands where: %w", err)
		}
	}
	return nil
}

// idOf returns the id of the repository of a name.
func idOf(item attr.Item) vcs.ID {
	sort := attr.Read(item).String("sk")
	return vcs.ID(sort[strings.LastIndex(sort, tab)+1:])
}
