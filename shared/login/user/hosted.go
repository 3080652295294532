package user

import (
	"context"
	"fmt"
	"slices"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// MaxHosted is the maximum number of a user's installations at one VCS. They are
// stored in one item.
const MaxHosted = 10_000

// Replace stores which installations the user may act on, as a VCS states it. It
// replaces what the VCS stated before. Operator memberships stay. of is the user's
// account that asked. It has no ID if the user must have no account at the VCS.
// said.AskedAt is the time of the question, taken before the request. If two lists
// arrive in the wrong order, the one that was asked for later stays. A list for an
// account that the user no longer has is dropped. Ids must be those of installations
// that the server knows, without duplicates.
//
// It costs one read, and a write unless a later statement is known. It returns
// ErrNotFound if there is no such user, and an Invalid fault for an unknown VCS or
// more than MaxHosted ids.
func (s *Store) Replace(ctx context.Context, author change.Author, id string, of vcs.Account, said Hosted) error {
	if err := validVCS(of.VCS); err != nil {
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
	if before, known := u.Hosted[of.VCS]; known && before.AskedAt.UnixMilli() > asked || u.Identities[of.VCS].ID != of.ID {
		return nil
	}
	is := table.Absent(account(of.VCS))
	if of.ID != "" {
		is = has(of)
	}
	ids := slices.Sorted(slices.Values(said.Installations))
	// The time is written also if the list is the same. Otherwise an older list
	// that arrives later would replace this one.
	err = s.table().Update(ctx, table.Change(ItemKey(id)).Set(askedAt(of.VCS), attr.Int(asked)).SetAll(author.All()).
		SetOrRemove(len(ids) > 0, hosted(of.VCS), idSet(ids...)).
		If(table.Exists("pk"), table.AbsentOr(askedAt(of.VCS), table.AtMost(askedAt(of.VCS), attr.Int(asked))), is))
	if _, overtaken := table.ConditionFailed(err); overtaken {
		return nil // a later list is stored, or the user or its account is gone
	}
	if err != nil {
		return fmt.Errorf("replace memberships: %w", err)
	}
	return nil
}
