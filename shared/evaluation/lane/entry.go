package lane

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// List is a list of pull requests of an installation.
type List string

// The lists.
const (
	// Locks has the pull requests that may hold locks.
	Locks List = "LOCKS"
	// Waiting has the pull requests that wait for an approval or an apply.
	Waiting List = "WAITING"
)

// Entry is a pull request in a list.
type Entry struct {
	PullRequest vcs.PullRequest
	// Since is when it came into the list, in whole milliseconds.
	Since time.Time
	// Body is that of those who evaluate.
	Body json.RawMessage
}

// Cursor returns the place of an entry in its list.
func (e Entry) Cursor() string { return entrySort(e.PullRequest) }

func entrySort(p vcs.PullRequest) string {
	return fmt.Sprintf("%s#%019d", p.Repository.ID.Sortable(), p.Number)
}

func listOf(l List, of vcs.Installation) string { return fmt.Sprintf("%s#%s#%s", l, of.VCS, of.ID) }

func entryKey(l List, p vcs.PullRequest) attr.Item {
	return attr.Item{"pk": attr.String(listOf(l, p.Repository.Installation)), "sk": attr.String(entrySort(p))}
}

// WriteEntry returns the write that puts an entry into a list, in place of that of the
// same pull request.
func (s Store) WriteEntry(l List, e Entry) (table.Write, error) {
	packed, err := packRow(e.Body)
	if err != nil {
		return table.Write{}, fmt.Errorf("entry of %s: %w", e.PullRequest, err)
	}
	item := entryKey(l, e.PullRequest)
	item["repository"], item[attrNumber] = attr.String(string(e.PullRequest.Repository.ID)), attr.Int(e.PullRequest.Number)
	item[attrSince], item[attrBody] = millis(e.Since), attr.Bytes(packed)
	return s.table().WritePut(item), nil
}

// WriteRemoval returns the write that takes a pull request out of a list. It is no error
// if it is not in it.
func (s Store) WriteRemoval(l List, p vcs.PullRequest) table.Write {
	return s.table().WriteDelete(entryKey(l, p))
}

// Query selects entries of a list. At most one of After and Before is set.
type Query struct {
	// After and Before are cursors. Only entries that come later than After, or earlier
	// than Before, are returned.
	After, Before string
	// Limit is the maximum number of entries.
	Limit int
}

// Entries returns entries of an installation, in the order of the repositories' ids and
// of the pull requests' numbers. With Before the order is reversed.
func (s Store) Entries(ctx context.Context, l List, of vcs.Installation, q Query) ([]Entry, error) {
	query := table.Query{Key: []table.Condition{table.Equal("pk", attr.String(listOf(l, of)))}, Limit: q.Limit, Backward: q.Before != ""}
	switch {
	case q.After != "":
		query.Key = append(query.Key, table.Greater("sk", attr.String(q.After)))
	case q.Before != "":
		query.Key = append(query.Key, table.Less("sk", attr.String(q.Before)))
	}
	page, err := s.table().Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("list entries of %s: %w", of, err)
	}
	return decodeEntries(of, page.Items)
}

// EntriesOf returns all entries of a repository.
func (s Store) EntriesOf(ctx context.Context, l List, r vcs.Repository) ([]Entry, error) {
	items, err := s.table().All(ctx, table.Query{Key: []table.Condition{
		table.Equal("pk", attr.String(listOf(l, r.Installation))), table.BeginsWith("sk", attr.String(r.ID.Sortable()+"#")),
	}})
	if err != nil {
		return nil, fmt.Errorf("list entries of %s: %w", r, err)
	}
	return decodeEntries(r.Installation, items)
}

func decodeEntries(of vcs.Installation, items []attr.Item) ([]Entry, error) {
	list := make([]Entry, len(items))
	for i, item := range items {
		r := attr.Read(item)
		list[i] = Entry{PullRequest: of.Repository(vcs.ID(r.String("repository"))).PullRequest(r.Int(attrNumber)), Since: readMillis(r, attrSince)}
		packed := r.Bytes(attrBody)
		err := r.Err()
		if err == nil {
			err = unpack(packed, &list[i].Body)
		}
		if err != nil {
			return nil, fmt.Errorf("decode entry %s of %s: %w", r.String("sk"), of, err)
		}
	}
	return list, nil
}
