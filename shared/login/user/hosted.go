package user

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// MaxHosted bounds a user's installations of one VCS: they lie in one item.
const MaxHosted = 10_000

// Replace stores which installations a VCS says that the user may act on, in
// place of what it said before; what operators gave stays. account is the id of
// the user's account that asked, said.AskedAt when it did, taken before the
// request: of two lists that overtake each other the one asked for later stands,
// and one of an account that the user no longer has is dropped. Ids are those of
// installations that the server knows, without duplicates.
//
// It costs one read, and a write unless a later word is known. ErrNotFound if
// there is no such user, an Invalid fault for an unknown VCS or more than
// MaxHosted ids.
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
	values := attr.Item{":asked": attr.Int(asked)}
	// The time moves on with the same word too: else an older word, answered later,
	// would stand before it.
	expression := "SET " + askedAt(vcs) + " = :asked, " + author.Set(values)
	if ids := slices.Sorted(slices.Values(said.Installations)); len(ids) > 0 {
		expression += ", " + hosted(vcs) + " = :ids"
		values[":ids"] = attr.Strings(ids)
	} else {
		expression += " REMOVE " + hosted(vcs)
	}
	condition := "attribute_exists(pk) AND (attribute_not_exists(" + askedAt(vcs) + ") OR " + askedAt(vcs) + " <= :asked) AND "
	if accountID == "" {
		condition += "attribute_not_exists(" + account(vcs) + ")"
	} else {
		condition += account(vcs) + ".id = :account"
		values[":account"] = attr.String(accountID)
	}
	_, err = s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(s.Table), Key: ItemKey(id), UpdateExpression: &expression,
		ConditionExpression: &condition, ExpressionAttributeValues: values,
	})
	var overtaken *types.ConditionalCheckFailedException
	if errors.As(err, &overtaken) {
		return nil // a later list stands, or the user or its account is gone
	}
	if err != nil {
		return fmt.Errorf("replace memberships: %w", err)
	}
	return nil
}
