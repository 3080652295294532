// Package erasure removes items whose removal the audit trail must record with the
// author. The stream of a table does not say who removed an item. So the author
// first marks the item, and then removes it. The package's invariant: it removes no
// item that was not marked.
package erasure

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Attr is the attribute of an item that will be removed. It says when the removal
// was decided, in Unix seconds.
const Attr = "erased_at"

// Item removes the item with a key, which has the attribute pk, and reports whether
// there was one. It is safe to repeat: a repetition completes a removal that was
// interrupted. If another request puts the item again between mark and removal, the
// item stays. If another request only updates it, it is removed.
func Item(ctx context.Context, db *dynamodb.Client, name string, key attr.Item, author change.Author) (bool, error) {
	marked, err := Mark(ctx, db, name, key, author)
	if err != nil || marked == nil {
		return false, err
	}
	err = table.Table{DB: db, Name: name}.Delete(ctx, key, table.Exists(Attr))
	if _, anew := table.ConditionFailed(err); err != nil && !anew {
		return false, fmt.Errorf("remove item: %w", err)
	}
	return true, nil
}

// Mark marks an item as one that its author will remove. It returns the item as it
// is then, or nil if there is none. An item that is marked already stays unchanged.
func Mark(ctx context.Context, db *dynamodb.Client, name string, key attr.Item, author change.Author) (attr.Item, error) {
	item, err := table.Table{DB: db, Name: name}.UpdateReturning(ctx, table.Change(key).Set(Attr, attr.Time(author.At)).SetAll(author.All()).
		If(table.Exists("pk"), table.Absent(Attr)).KeepOld())
	if old, failed := table.ConditionFailed(err); failed {
		return old, nil
	}
	if err != nil {
		return nil, fmt.Errorf("mark item: %w", err)
	}
	return item, nil
}
