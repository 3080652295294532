package user

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// ErrLinked says that an account at a VCS belongs to another user.
var ErrLinked = errors.New("the account belongs to another user")

// identityKey is the key of the item that links an account at a VCS to a user. The
// account's id decides, never its login: a login can be changed, and then another
// account can take it.
func identityKey(vcs, account string) attr.Item {
	return attr.Item{"pk": attr.String("IDENTITY#" + vcs + "#" + account), "sk": attr.String("IDENTITY")}
}

// owned returns the item that links the account to the user.
func owned(vcs, account, id string) attr.Item {
	item := identityKey(vcs, account)
	item["user"] = attr.String(id)
	return item
}

// signInAttempts is how often a login tries again when another login of the same
// account is first.
const signInAttempts = 3

// SignIn returns the user whose account at the VCS this is. If no user has the
// account, it creates one. It stores the account's present login and picture. The
// author is the user itself.
func (s *Store) SignIn(ctx context.Context, vcs string, identity Identity, author change.Author) (User, error) {
	if err := validVCS(vcs); err != nil {
		return User{}, err
	}
	if identity.ID == "" {
		return User{}, errors.New("sign in: the account has no id")
	}
	for range signInAttempts {
		u, err := s.byIdentity(ctx, vcs, identity.ID)
		if errors.Is(err, ErrNotFound) {
			u, err = s.join(ctx, vcs, identity, author)
		}
		if errors.Is(err, ErrLinked) {
			continue
		}
		if err != nil || u.Identities[vcs] == identity {
			return u, err
		}
		author.Principal = u.ID
		err = s.describe(ctx, u.ID, vcs, identity, author)
		if errors.Is(err, errUntied) {
			continue
		}
		if err != nil {
			return User{}, err
		}
		u.Identities[vcs] = identity
		return u, nil
	}
	return User{}, fault.Busyf("CONTENDED", "too many logins of one account at the same time: try again in a moment")
}

// errUntied says that an account does not belong, or no longer belongs, to the
// user.
var errUntied = errors.New("the account is not the user's")

// describe stores the present login and picture of the user's account. It returns
// errUntied if an operator has linked the user to another account in the meantime.
func (s *Store) describe(ctx context.Context, id, vcs string, identity Identity, author change.Author) error {
	values := attr.Item{":identity": attr.Map(identity.value()), ":account": attr.String(identity.ID)}
	_, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(s.Table), Key: ItemKey(id), ExpressionAttributeValues: values,
		UpdateExpression:    aws.String("SET " + account(vcs) + " = :identity, " + author.Set(values)),
		ConditionExpression: aws.String(account(vcs) + ".id = :account"),
	})
	var untied *types.ConditionalCheckFailedException
	if errors.As(err, &untied) {
		return errUntied
	}
	if err != nil {
		return fmt.Errorf("describe account: %w", err)
	}
	return nil
}

// byIdentity returns the user of an account, or ErrNotFound if no user has it.
func (s *Store) byIdentity(ctx context.Context, vcs, account string) (User, error) {
	item, err := s.item(ctx, identityKey(vcs, account))
	if err != nil {
		return User{}, fmt.Errorf("find account: %w", err)
	}
	if len(item) == 0 {
		return User{}, ErrNotFound
	}
	r := attr.Read(item)
	id := r.String("user")
	if err := r.Err(); err != nil {
		return User{}, fmt.Errorf("decode account: %w", err)
	}
	return s.Get(ctx, id)
}

// join creates a user for an account. It returns ErrLinked if another user has the
// account in the meantime.
func (s *Store) join(ctx context.Context, vcs string, identity Identity, author change.Author) (User, error) {
	id, name := uuid.NewString(), vcs+":"+identity.ID
	u, err := s.create(ctx, id, name, vcs, identity, author)
	if errors.Is(err, ErrExists) {
		// An operator has given the account's first user another account. That user
		// keeps the name.
		u, err = s.create(ctx, id, name+":"+id[:8], vcs, identity, author)
	}
	return u, err
}

func (s *Store) create(ctx context.Context, id, name, vcs string, identity Identity, author change.Author) (User, error) {
	author.Principal = id
	item := ItemKey(id)
	item["id"], item["name"], item["created_at"] = attr.String(id), attr.String(name), attr.Time(author.At)
	item[account(vcs)] = attr.Map(identity.value())
	_, err := s.DB.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		s.put(item, author), s.put(reservation(name, id), author), s.put(owned(vcs, identity.ID, id), author),
	}})
	switch {
	case failed(err, 2):
		return User{}, ErrLinked
	case failed(err, 1):
		return User{}, ErrExists
	case err != nil:
		return User{}, fmt.Errorf("create user: %w", err)
	}
	return Decode(item)
}

// PutIdentity links an account at a VCS to the user, in place of an earlier account
// there. From then on, a login with the account is a login of this user.
// PutIdentity also removes what the VCS stated about the earlier account. The
// sessions and grants of that account stop working, because they are valid only
// with their account. It returns ErrNotFound if there is no such user, ErrLinked if
// the account belongs to another user, and an Invalid fault for an unknown VCS.
func (s *Store) PutIdentity(ctx context.Context, id, vcs string, identity Identity, author change.Author) error {
	if err := validVCS(vcs); err != nil {
		return err
	}
	u, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	values := attr.Item{":identity": attr.Map(identity.value())}
	condition := "attribute_exists(pk) AND attribute_not_exists(" + account(vcs) + ")"
	before, had := u.Identities[vcs]
	if had {
		condition = account(vcs) + ".id = :before"
		values[":before"] = attr.String(before.ID)
	}
	tie := s.put(owned(vcs, identity.ID, id), author)
	tie.Put.ConditionExpression = aws.String("attribute_not_exists(pk) OR #user = :user")
	tie.Put.ExpressionAttributeNames = map[string]string{"#user": "user"}
	tie.Put.ExpressionAttributeValues = attr.Item{":user": attr.String(id)}
	set := "SET " + account(vcs) + " = :identity, " + author.Set(values)
	if before.ID != identity.ID {
		set += " REMOVE " + hosted(vcs) + ", " + askedAt(vcs)
	}
	parts := []types.TransactWriteItem{
		{Update: &types.Update{
			TableName: aws.String(s.Table), Key: ItemKey(id),
			UpdateExpression:    &set,
			ConditionExpression: aws.String(condition), ExpressionAttributeValues: values,
		}},
		tie,
	}
	if had && before.ID != identity.ID {
		parts = append(parts, types.TransactWriteItem{Delete: &types.Delete{TableName: aws.String(s.Table), Key: identityKey(vcs, before.ID)}})
	}
	_, err = s.DB.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: parts})
	if failed(err, 1) {
		return ErrLinked
	}
	if err != nil {
		return fmt.Errorf("link account: %w", err)
	}
	return nil
}
