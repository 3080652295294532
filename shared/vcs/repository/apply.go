package repository

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Apply stores that a repository exists, and its description, both as of a version.
func (s Store) Apply(ctx context.Context, author change.Author, in vcs.Installation, seen vcs.Description, version vcs.Version) error {
	return s.Describe(ctx, author, in, seen, version, version)
}

// Describe stores the description of a repository as of version, and that the
// repository existed as of there. If there is empty, nobody knows when it existed.
// Then a repository that was not known becomes known, and a repository that is gone
// stays gone.
func (s Store) Describe(ctx context.Context, author change.Author, in vcs.Installation, seen vcs.Description, version, there vcs.Version) error {
	fact := known{there: there, named: part[FullName]{version, FullName{seen.Owner, seen.Name}}}
	first := []string{"seen_name"}
	told := func(name string, value *bool, p *part[bool]) {
		if value != nil {
			*p, first = part[bool]{version, *value}, append(first, name)
		}
	}
	told("seen_private", seen.Private, &fact.private)
	told("seen_archived", seen.Archived, &fact.archived)
	told("seen_setup", seen.Setup, &fact.setup)
	if seen.DefaultBranch != "" {
		fact.branch, first = part[string]{version, seen.DefaultBranch}, append(first, "seen_branch")
	}
	at := key(in.Repository(seen.ID))
	u := s.set(author, at, fact.attributes(seen.ID), "gone", "ttl")
	for _, name := range first {
		u.only(u.older(name, version))
	}
	if there == "" {
		u.only("attribute_not_exists(emptied)")
	} else {
		u.only(u.older("seen", there))
		u.only(u.older("emptied", min(version, there)))
	}
	return s.apply(ctx, author, at, seen.ID, fact, u)
}

// Given stores that the installation was given a repository, as of a version. Its
// names are used only if no fact has described the repository since it was last
// gone, because this fact may arrive after a rename. Of seen, only the names and
// Private are used. A nil Private counts as false.
func (s Store) Given(ctx context.Context, author change.Author, in vcs.Installation, seen vcs.Description, version vcs.Version) error {
	fact := known{there: version, listed: part[listing]{version, listing{
		FullName: FullName{seen.Owner, seen.Name}, private: seen.Private != nil && *seen.Private,
	}}}
	at := key(in.Repository(seen.ID))
	u := s.set(author, at, fact.attributes(seen.ID))
	u.only("attribute_not_exists(pk)")
	return s.apply(ctx, author, at, seen.ID, fact, u)
}

func (s Store) apply(ctx context.Context, author change.Author, at attr.Item, id vcs.ID, fact known, first *update) error {
	_, err := s.take(ctx, author, at, id, fact, first, taking{
		wanted: func(known) bool { return true },
		write:  s.update,
	})
	return err
}

// update makes one update. If its condition does not hold, it returns the item and
// errCondition.
func (s Store) update(ctx context.Context, w *types.Update) (attr.Item, error) {
	_, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: w.TableName, Key: w.Key, UpdateExpression: w.UpdateExpression, ConditionExpression: w.ConditionExpression,
		ExpressionAttributeNames: w.ExpressionAttributeNames, ExpressionAttributeValues: w.ExpressionAttributeValues,
		ReturnValuesOnConditionCheckFailure: w.ReturnValuesOnConditionCheckFailure,
	})
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		return failed.Item, errCondition
	}
	return nil, err
}
