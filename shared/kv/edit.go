package kv

import (
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv/kvitem"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// newEdit returns a change of an item that records its author.
func newEdit(key attr.Item, author change.Author) *table.Edit {
	return table.Change(key).SetAll(author.All())
}

// nextRevision increases the revision of a cell. The first revision is 0.
func nextRevision(e *table.Edit) { e.Count(kvitem.Revision, -1, 1) }

// atRevision holds if the cell has the revision of c, or no revision if c has none.
func atRevision(c cell) table.Condition {
	if c.revision == nil {
		return table.Absent(kvitem.Revision)
	}
	return table.Equal(kvitem.Revision, attr.Int(int64(*c.revision)))
}
