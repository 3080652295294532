package user

import (
	"context"
	"fmt"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/erasure"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// eraseTries is how often Erase tries again when another call writes the user at
// the same time.
const eraseTries = 5

// Erase removes a user, in the name of its author, with its memberships, its name
// and the items of its accounts. It reports whether there was one. From then on no
// credential of the user is accepted, and a login with one of the accounts creates
// a new user. If Erase fails, the user is marked but complete. A second call
// finishes the work.
func (s *Store) Erase(ctx context.Context, id string, author change.Author) (bool, error) {
	for n := range eraseTries {
		if err := table.Pause(ctx, n); err != nil {
			return false, err
		}
		item, err := erasure.Mark(ctx, s.DB, s.Table, ItemKey(id), author)
		if err != nil || item == nil {
			return n > 0, err // the response of an earlier attempt may have been lost
		}
		u, err := Decode(item)
		if err != nil {
			return false, err
		}
		err = s.table().Transact(ctx, s.removes(u, item)...)
		if err == nil {
			return true, nil
		}
		if _, changed := table.ConditionFailedAt(err, 0); !changed { // if the user's item has changed, it is read again
			return false, fmt.Errorf("erase user: %w", err)
		}
	}
	return false, fmt.Errorf("erase user %s: it is changed again and again", id)
}

// removes returns the writes that remove a user, as its item was read, and the
// user's other items.
func (s *Store) removes(u User, item attr.Item) []table.Write {
	t := s.table()
	writes := []table.Write{t.WriteDelete(ItemKey(u.ID),
		table.Equal(change.AttrRequest, item[change.AttrRequest]), table.Equal(change.AttrAt, item[change.AttrAt]))}
	beside := []attr.Item{nameKey(u.Name)}
	for system, known := range u.Identities {
		beside = append(beside, identityKey(vcs.Account{VCS: system, ID: known.ID}))
	}
	for _, key := range beside {
		writes = append(writes, t.WriteDelete(key, ownedBy(u.ID)))
	}
	return writes
}
