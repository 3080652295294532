package apikey

import (
	"context"
	"fmt"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Query selects among a user's keys. The zero Query selects all.
type Query struct {
	// After and Before are cursors: only keys strictly after or before them
	// are listed. At most one is set.
	After, Before string
	// Limit is the largest number of keys that List returns. 0 means all.
	Limit int
	// Within, if it restricts, leaves out the keys that can do more.
	Within access.Set
}

// indexName is the index of the keys that are not revoked.
const indexName = "by_name"

// List returns the user's keys that are not revoked, in the order of their names
// and then ids. With Before, the order is reversed.
func (s *Store) List(ctx context.Context, user string, q Query) ([]Key, error) {
	ask := table.Query{Index: indexName, Key: []table.Condition{ofUser(user)}, Backward: q.Before != "", Limit: q.Limit}
	switch {
	case q.After != "":
		ask.Key = append(ask.Key, table.Greater(attrByName, attr.String(q.After)))
	case q.Before != "":
		ask.Key = append(ask.Key, table.Less(attrByName, attr.String(q.Before)))
	}
	var keys []Key
	for page, err := range s.table().Pages(ctx, ask) {
		if err != nil {
			return nil, fmt.Errorf("list API keys: %w", err)
		}
		for _, item := range page.Items {
			k, err := Decode(item)
			if err != nil {
				return nil, err
			}
			if !k.Capabilities.Within(q.Within) {
				continue
			}
			if keys = append(keys, k); len(keys) == q.Limit {
				return keys, nil
			}
		}
	}
	return keys, nil
}
