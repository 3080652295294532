package user

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/vcs"
)

// ErrConditionFailed says that a condition of another package did not hold. So
// nothing was changed.
var ErrConditionFailed = errors.New("the condition of the change does not hold")

// AddMembershipIf does what AddMembership does, in one transaction with a condition
// on another item. So the write takes effect only if the condition holds at that
// moment. It returns ErrConditionFailed if the condition does not hold.
func (s *Store) AddMembershipIf(ctx context.Context, id string, m vcs.Installation, author change.Author, condition types.ConditionCheck) error {
	if err := validVCS(string(m.VCS)); err != nil {
		return err
	}
	values := attr.Item{":id": attr.Strings([]string{string(m.ID)})}
	err := awsclient.Transact(ctx, s.DB, []types.TransactWriteItem{{Update: &types.Update{
		TableName: aws.String(s.Table), Key: ItemKey(id),
		UpdateExpression:          aws.String("SET " + author.Set(values) + " ADD " + members(string(m.VCS)) + " :id"),
		ConditionExpression:       aws.String("attribute_exists(pk)"),
		ExpressionAttributeValues: values,
	}}, {ConditionCheck: &condition}})
	switch {
	case awsclient.ConditionFailed(err, 0):
		return ErrNotFound
	case awsclient.ConditionFailed(err, 1):
		return ErrConditionFailed
	case err != nil:
		return fmt.Errorf("update user: %w", err)
	}
	return nil
}
