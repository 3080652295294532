package user

import (
	"context"
	"errors"
	"fmt"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// ErrConditionFailed says that a condition of another package did not hold. So
// nothing was changed.
var ErrConditionFailed = errors.New("the condition of the change does not hold")

// AddMembershipIf does what AddMembership does, in one transaction with a condition
// on another item, which is a table.WriteCheck of the package that owns that item. So
// the membership is written only if the condition holds at that moment. It returns
// ErrConditionFailed if the condition does not hold.
func (s *Store) AddMembershipIf(ctx context.Context, id string, m vcs.Installation, author change.Author, condition table.Write) error {
	if err := validVCS(m.VCS); err != nil {
		return err
	}
	t := s.table()
	err := t.Transact(ctx, t.WriteUpdate(join(id, m, author)), condition)
	if _, missing := table.ConditionFailedAt(err, 0); missing {
		return ErrNotFound
	}
	if _, failed := table.ConditionFailedAt(err, 1); failed {
		return ErrConditionFailed
	}
	if err != nil {
		return fmt.Errorf("update user: %w", err)
	}
	return nil
}
