package installation

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Store keeps installations in OperationsTable, one item each: pk
// INSTALLATION#<vcs>#<id>, sk INSTALLATION.
type Store struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is the physical name of OperationsTable.
	Table string
}

// SortKey is the sort key of every installation's item. No other item has it.
const SortKey = "INSTALLATION"

func key(i vcs.Installation) attr.Item {
	return attr.Item{"pk": attr.String(SortKey + "#" + string(i.VCS) + "#" + string(i.ID)), "sk": attr.String(SortKey)}
}

// Get reads an installation with a strongly consistent read. It returns
// fault.ErrNotFound if the installation is not known.
func (s Store) Get(ctx context.Context, i vcs.Installation) (Installation, error) {
	if err := Check(i); err != nil {
		return Installation{}, err
	}
	out, err := s.DB.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.Table, Key: key(i), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return Installation{}, fmt.Errorf("read installation: %w", err)
	}
	if len(out.Item) == 0 {
		return Installation{}, fault.ErrNotFound
	}
	return decode(i, out.Item)
}

// Decode reads the item of an installation. It takes VCS and id from the item's
// key.
func Decode(item attr.Item) (Installation, error) {
	r := attr.Read(item)
	parts := strings.SplitN(r.String("pk"), "#", 3)
	if err := r.Err(); err != nil {
		return Installation{}, fmt.Errorf("decode installation: %w", err)
	}
	if len(parts) != 3 || parts[0] != SortKey {
		return Installation{}, fmt.Errorf("decode installation: %q is no key of one", parts)
	}
	return decode(vcs.Installation{VCS: vcs.VCS(parts[1]), ID: vcs.ID(parts[2])}, item)
}

func decode(key vcs.Installation, item attr.Item) (Installation, error) {
	r := attr.Read(item)
	i := Installation{
		VCS: key.VCS, ID: key.ID, Name: r.String("name"), CreatedAt: r.Time("created_at"),
		State: State(r.String("state")), TargetType: r.String("target_type"),
	}
	if err := r.Err(); err != nil {
		return Installation{}, fmt.Errorf("decode installation %s: %w", key, err)
	}
	return i, nil
}

// Outcome says what Save did.
type Outcome int

// The outcomes.
const (
	// Unchanged: the installation was known with this name. Nothing was written.
	Unchanged Outcome = iota
	// Created: the installation was not known.
	Created
	// Renamed: the installation was known with another name.
	Renamed
)

// Save adds an installation, or renames a known one, in one write in the name of
// author. It ignores CreatedAt: a new installation gets author.At.
func (s Store) Save(ctx context.Context, author change.Author, i Installation) (Outcome, error) {
	if err := i.valid(); err != nil {
		return Unchanged, err
	}
	values := attr.Item{":name": attr.String(i.Name), ":now": attr.Time(author.At)}
	out, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table,
		Key:       key(i.Key()),
		UpdateExpression: aws.String("SET #name = :name, created_at = if_not_exists(created_at, :now), " +
			author.Set(values)),
		ConditionExpression:                 aws.String("attribute_not_exists(pk) OR #name <> :name"),
		ExpressionAttributeNames:            map[string]string{"#name": "name"},
		ExpressionAttributeValues:           values,
		ReturnValues:                        types.ReturnValueAllOld,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	var same *types.ConditionalCheckFailedException
	switch {
	case errors.As(err, &same):
		return before(same.Item, author), nil
	case err != nil:
		return Unchanged, fmt.Errorf("write installation: %w", err)
	case !attr.Read(out.Attributes).Has("name"):
		return Created, nil
	}
	return Renamed, nil
}

// before returns what a request did to an item that has the wanted name already.
// The outcome is Unchanged, unless an earlier attempt of the same request wrote the
// name and its response was lost. If an installation was created and renamed within
// one second, before returns Created for the rename.
func before(item attr.Item, author change.Author) Outcome {
	r := attr.Read(item)
	switch {
	case r.String(change.AttrRequest) != author.Request:
		return Unchanged
	case r.Time("created_at").Unix() == author.At.Unix():
		return Created
	}
	return Renamed
}
