package user

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/attr"
	"github.com/opsplane/opsplane/shared/change"
	"github.com/opsplane/opsplane/shared/fault"
)

// MaxHosted bounds a user's installations of one VCS: they lie in one item.
const MaxHosted = 10_000

// restate is how old a VCS's word must be for the same word to be written
// again: lists that follow one another do not each cost a write.
const restate = 10 * time.Minute

// Replace stores which installations a VCS says that the user may act on, in
// place of what it said before; what operators gave stays. asked is when the
// VCS was asked, taken before the request: of two lists that overtake each other
// the one asked for later stands. Ids are those of installations that the server
// knows, without duplicates.
//
// It costs one read, and a write only where something changed or the same word
// is ten minutes old. ErrNotFound if there is no such user, an Invalid fault for
// an unknown VCS or more than MaxHosted ids.
func (s *Store) Replace(ctx context.Context, author change.Author, id, vcs string, installations []string, asked time.Time) error {
	if err := validVCS(vcs); err != nil {
		return err
	}
	if len(installations) > MaxHosted {
		return fault.Invalidf("TOO_MANY_INSTALLATIONS", "you are a member of more than %d installations", MaxHosted)
	}
	u, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	ids := slices.Sorted(slices.Values(installations))
	before, known := u.Hosted[vcs]
	if known && slices.Equal(before.Installations, ids) && asked.Sub(before.AskedAt) < restate {
		return nil
	}
	values := attr.Item{":asked": attr.Int(asked.UnixMilli())}
	expression := "SET " + askedAt(vcs) + " = :asked, " + author.Set(values)
	if len(ids) > 0 {
		expression += ", " + hosted(vcs) + " = :ids"
		values[":ids"] = attr.Strings(ids)
	} else {
		expression += " REMOVE " + hosted(vcs)
	}
	_, err = s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(s.Table), Key: ItemKey(id), UpdateExpression: &expression,
		ConditionExpression:       aws.String("attribute_exists(pk) AND (attribute_not_exists(" + askedAt(vcs) + ") OR " + askedAt(vcs) + " <= :asked)"),
		ExpressionAttributeValues: values,
	})
	var overtaken *types.ConditionalCheckFailedException
	if errors.As(err, &overtaken) {
		return nil // a later list stands, or the user is gone
	}
	if err != nil {
		return fmt.Errorf("replace memberships: %w", err)
	}
	return nil
}
