package task

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Bury ends a task of a queue whose item cannot be read. The task becomes Failed,
// and its reminders are removed, so that no worker finds it again. The attributes
// of the item that have the right form are kept, so that its owner can see them.
// problem says why, in words for the owner.
func (s Store) Bury(ctx context.Context, q Queue, id, problem string, now time.Time) error {
	found, err := s.read(ctx, id)
	if err != nil && !errors.Is(err, fault.ErrNotFound) {
		return err
	}
	if err == nil {
		if err := s.bury(ctx, id, found, problem, now); err != nil {
			return err
		}
	}
	// An unreadable task cannot say when it is due, so all its reminders are
	// removed.
	return s.queue().Reminders.DropAll(ctx, string(q), id, now)
}

func (s Store) bury(ctx context.Context, id string, found attr.Item, problem string, now time.Time) error {
	item := key(id)
	for _, name := range []string{attrKind, attrOwner, attrName, attrVCS, attrInstallation, attrSubject} {
		if text, ok := found[name].(*types.AttributeValueMemberS); ok {
			item[name] = text
		}
	}
	item[attrState], item[attrProblem] = attr.String(string(Failed)), attr.String(problem)
	item[attrUpdatedAt], item[attrTTL] = attr.Time(now), attr.Time(now.Add(Keep))
	err := s.table().Put(ctx, item, table.Exists("pk"))
	if _, gone := table.ConditionFailed(err); err != nil && !gone {
		return fmt.Errorf("bury task %s: %w", id, err)
	}
	return nil
}
