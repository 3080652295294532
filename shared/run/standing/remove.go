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
	// A removal that is interrupted finds the repository again by what goes last.
	for _, key := range [][]table.Condition{
		{table.Equal("pk", pullsOf(r))},
		{table.Equal("pk", outputsOf(r.Installation)), mine},
		{table.Equal("pk", rowsOf(r.Installation)), mine},
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
	names, err := s.Table.All(ctx, table.Query{Key: []table.Condition{table.Equal("pk", namesOf(r.Installation))}, Names: []string{"pk", "sk"}})
	if err != nil {
		return false, fmt.Errorf("list names of repositories: %w", err)
	}
	names = slices.DeleteFunc(names, func(item attr.Item) bool { return idOf(item) != r.ID })
	return true, s.remove(ctx, names)
}

// RemoveInstallation removes what is known about the repositories of an installation,
// at most limit items, and reports whether all are removed. It is safe to repeat, and
// a repetition continues. It also finds items whose repository has no name: a run that
// ended while its repository was removed may leave some.
func (s Store) RemoveInstallation(ctx context.Context, of vcs.Installation, limit int) (bool, error) {
	for _, in := range []struct {
		partition table.Value
		id        func(attr.Item) vcs.ID
	}{{namesOf(of), idOf}, {rowsOf(of), idOfPlace}, {outputsOf(of), idOfPlace}} {
		page, err := s.Table.Query(ctx, table.Query{Key: []table.Condition{table.Equal("pk", in.partition)}, Names: []string{"pk", "sk"}, Limit: 1})
		if err != nil {
			return false, fmt.Errorf("list repositories with results: %w", err)
		}
		if len(page.Items) == 0 {
			continue
		}
		_, err = s.RemoveRepository(ctx, of.Repository(in.id(page.Items[0])), limit)
		return false, err // there may be another repository
	}
	return true, nil
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

// idOfPlace returns the id of the repository of a row or of outputs.
func idOfPlace(item attr.Item) vcs.ID {
	id, _, _ := strings.Cut(attr.Read(item).String("sk"), tab)
	return vcs.ID(id)
}
