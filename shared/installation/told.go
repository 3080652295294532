package installation

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/attr"
	"github.com/opsplane/opsplane/shared/awsclient"
	"github.com/opsplane/opsplane/shared/change"
)

// Apply takes in what a host told of an installation: its name, state and
// target type as of a version, unless a newer one is known, so that facts may
// come in any order and again. Versions are compared as texts.
func (s Store) Apply(ctx context.Context, author change.Author, i Installation, version string) error {
	if err := i.valid(); err != nil {
		return err
	}
	values := attr.Item{
		":name": attr.String(i.Name), ":state": attr.String(string(i.State)), ":target": attr.String(i.TargetType),
		":now": attr.Time(author.At), ":version": attr.String(version),
	}
	return s.told(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: key(i.VCS, i.ID),
		UpdateExpression: aws.String("SET #name = :name, #state = :state, target_type = :target, seen = :version, " +
			"created_at = if_not_exists(created_at, :now), " + author.Set(values)),
		ConditionExpression:       aws.String("attribute_not_exists(seen) OR seen < :version"),
		ExpressionAttributeNames:  map[string]string{"#name": "name", "#state": "state"},
		ExpressionAttributeValues: values,
	})
}

// Ensure makes an installation known that a host named in passing. One that is
// known stays as it is.
func (s Store) Ensure(ctx context.Context, author change.Author, i Installation) error {
	if err := i.valid(); err != nil {
		return err
	}
	values := attr.Item{":name": attr.String(i.Name), ":installed": attr.String(string(Installed)), ":now": attr.Time(author.At)}
	return s.told(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: key(i.VCS, i.ID),
		UpdateExpression:          aws.String("SET #name = :name, #state = :installed, created_at = :now, " + author.Set(values)),
		ConditionExpression:       aws.String("attribute_not_exists(pk)"),
		ExpressionAttributeNames:  map[string]string{"#name": "name", "#state": "state"},
		ExpressionAttributeValues: values,
	})
}

// Delivered takes in that an installation's webhook has delivered something: one
// that is known and was in no state before is Installed from then on.
func (s Store) Delivered(ctx context.Context, author change.Author, vcs, id string) error {
	if err := ValidID(vcs, id); err != nil {
		return err
	}
	values := attr.Item{":installed": attr.String(string(Installed))}
	return s.told(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: key(vcs, id),
		UpdateExpression:          aws.String("SET #state = :installed, " + author.Set(values)),
		ConditionExpression:       aws.String("attribute_exists(pk) AND attribute_not_exists(#state)"),
		ExpressionAttributeNames:  map[string]string{"#state": "state"},
		ExpressionAttributeValues: values,
	})
}

// told makes a write whose unmet condition means that there is nothing to do.
func (s Store) told(ctx context.Context, in *dynamodb.UpdateItemInput) error {
	_, err := s.DB.UpdateItem(ctx, in)
	var known *types.ConditionalCheckFailedException
	if err != nil && !errors.As(err, &known) {
		return fmt.Errorf("write installation: %w", err)
	}
	return nil
}

// Known reads those of the installations that are known, in the order of ids.
// All are of one VCS.
func (s Store) Known(ctx context.Context, vcs string, ids []string) ([]Installation, error) {
	found := map[string]Installation{}
	for start := 0; start < len(ids); start += awsclient.MaxBatch {
		if err := s.readSome(ctx, vcs, ids[start:min(start+awsclient.MaxBatch, len(ids))], found); err != nil {
			return nil, err
		}
	}
	list := make([]Installation, 0, len(found))
	for _, id := range ids {
		if i, ok := found[id]; ok {
			list = append(list, i)
		}
	}
	return list, nil
}

func (s Store) readSome(ctx context.Context, vcs string, ids []string, found map[string]Installation) error {
	names := map[string]string{}
	asked := types.KeysAndAttributes{ConsistentRead: aws.Bool(true)}
	for _, id := range ids {
		k := key(vcs, id)
		names[attr.Read(k).String("pk")] = id
		asked.Keys = append(asked.Keys, k)
	}
	items, err := awsclient.BatchGet(ctx, s.DB, s.Table, asked)
	if err != nil {
		return fmt.Errorf("read installations: %w", err)
	}
	for _, item := range items {
		id := names[attr.Read(item).String("pk")]
		if found[id], err = decode(vcs, id, item); err != nil {
			return err
		}
	}
	return nil
}
