package standing

import (
	"context"
	"fmt"
	"slices"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runquery"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// interval is a part of the rows of an installation: sort keys, both included.
type interval struct{ low, high string }

// everything has all rows. Ids of repositories are printable.
var everything = []interval{{" ", "~"}}

// maxIntervals is the largest number of intervals that one page reads. If a query needs
// more, its pages walk all rows.
const maxIntervals = 25

// intervals returns parts of the rows, in their order, that have all rows that match a
// query. A query for one repository, or for a directory of a few repositories, needs
// few of the rows.
func (s Store) intervals(ctx context.Context, in vcs.Installation, q runquery.Query) ([]interval, error) {
	var repo, dir runquery.Term
	for _, t := range q.Terms() {
		switch {
		case len(t.Value) > run.MaxText:
			return nil, nil // no row has it
		case t.Key == "repo" && repo.Value == "":
			repo = t
		case t.Key == "dir" && dir.Value == "":
			dir = t
		}
	}
	if repo.Value == "" && dir.Value == "" {
		return everything, nil
	}
	ids, all, err := s.repositories(ctx, in, repo)
	if err != nil || !all {
		return everything, err
	}
	list := make([]interval, len(ids))
	for i, id := range ids {
		list[i] = within(string(id)+tab, dir)
	}
	return list, nil
}

// repositories returns the repositories that have or had a name, in the order of their
// ids. It reports whether these are all of them. A term without a value means any name.
func (s Store) repositories(ctx context.Context, in vcs.Installation, name runquery.Term) ([]vcs.ID, bool, error) {
	key := []table.Condition{table.Equal("pk", namesOf(in))}
	if name.Value != "" {
		begin := name.Value
		if !name.Prefix {
			begin += tab
		}
		key = append(key, table.BeginsWith("sk", attr.String(begin)))
	}
	page, err := s.Table.Query(ctx, table.Query{Key: key, Limit: maxIntervals + 1})
	if err != nil {
		return nil, false, fmt.Errorf("list names of repositories: %w", err)
	}
	if len(page.Items) > maxIntervals {
		return nil, false, nil
	}
	var ids []vcs.ID
	for _, item := range page.Items {
		ids = append(ids, idOf(item))
	}
	slices.Sort(ids)
	return slices.Compact(ids), page.Next == nil, nil
}

// within returns the rows below a prefix whose next part is, or begins with, the value
// of a term.
func within(prefix string, t runquery.Term) interval {
	switch {
	case t.Value == "":
		return between(prefix)
	case !t.Prefix:
		return between(prefix + t.Value + tab)
	default:
		return between(prefix + t.Value)
	}
}

// between returns the sort keys that begin with a text: up to the next text of the same
// length. If that is no valid text, the keys that begin with one byte less, and so on.
func between(text string) interval {
	const lastASCII = 0x7f
	for end := len(text); end > 0; end-- {
		if last := text[end-1]; last < lastASCII {
			return interval{text, text[:end-1] + string(rune(last+1))}
		}
	}
	return interval{text, everything[0].high}
}
