package user

import (
	"context"
	"fmt"
	"slices"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// MaxHosted is the maximum number of a user's installations at one VCS. They are
// stored in one item.
const MaxHosted = 10_000

// Replace stores which installations the user may act on, as a VCS states it. It
// replaces what the VCS stated before. Operator memberships stay. accountID is the
// id of the user's account that asked. said.AskedAt is the time of the question,
// taken before the request. If two lists arrive in the wrong order, the one that
// was asked for later stays. A list for an account that the user no longer has is
// dropped. Ids must be those of installations that the server knows, without
// duplicates.
//
// It costs one read, and a write unless a later statement is known. It returns
// ErrNotFound if there is no such user, and an Invalid fault for an unknown VCS or
// more than MaxHosted ids.
func (s *Store) Replace(ctx context.Context, author change.Author, id, vcs, accountID string, said Hosted) error {
	if err := validVCS(vcs); err != nil {
		return err
	}
	if len(said.Installations) > MaxHosted {
		return fault.Invalidf("TOO_MANY_INSTALLATIONS", "you are a member of more than %d installations", MaxHosted)
	}
	u, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	asked := said.AskedAt.UnixMilli()
	if before, known := u.Hosted[vcs]; known && before.AskedAt.UnixMilli() > asked || u.Identities[vcs].ID != accountID {
		return nil
	}
	is := table.Absent(account(vcs))
	if accountID != "" {
		is = table.Equal(account(vcs)+".id", attr.String(accountID))
	}
	ids := slices.Sorted(slices.Values(said.Installations))
	// The time is written also if the list is the same. Otherwise an older list
	// that arrives later would replace this one.
	err = s.table().Update(ctx, table.Change(ItemKey(id)).Set(askedAt(vcs), attr.Int(asked)).SetAll(author.All()).
		SetOrRemove(len(ids) > 0, hosted(vcs), attr.Strings(ids)).
		If(table.Exists("pk"), table.AbsentOr(askedAt(vcs), table.AtMost(askedAt(vcs), attr.Int(asked))), is))
	if _, overtaken := table.ConditionFailed(err); overtaken {
		return nil // a later list is stored, or the user or its account is gone
	}
	if err != nil {
		return fmt.Errorf("replace memberships: %w", err)
	}
	return nil
}
