package apikey

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/erasure"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Erase revokes and removes keys of a user, including keys that were revoked
// before. It removes at most limit of them. It returns how many it removed, and
// whether there may be more.
func (s *Store) Erase(ctx context.Context, user string, author change.Author, limit int) (erased int, more bool, err error) {
	page, err := s.table().Query(ctx, table.Query{
		Key: []table.Condition{ofUser(user), table.BeginsWith("sk", attr.String(prefixKey))}, Limit: limit, Names: []string{"sk"},
	})
	if err != nil {
		return 0, false, fmt.Errorf("list API keys: %w", err)
	}
	for _, item := range page.Items {
		id := strings.TrimPrefix(attr.Read(item).String("sk"), prefixKey)
		if err := s.Revoke(ctx, user, id, author); err != nil && !errors.Is(err, ErrNotFound) {
			return erased, true, err
		}
		if _, err := erasure.Item(ctx, s.DB, s.Table, ItemKey(user, id), author); err != nil {
			return erased, true, fmt.Errorf("erase API key: %w", err)
		}
		erased++
	}
	return erased, page.Next != nil, nil
}
