package repository

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/attr"
	"github.com/opsplane/opsplane/shared/change"
	"github.com/opsplane/opsplane/shared/fault"
)

// Store keeps repositories in VcsTable, one item each: pk
// REPOSITORIES#<vcs>#<installation>, sk the id with leading zeros.
type Store struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is the physical name of VcsTable.
	Table string
}

func partition(vcs, installation string) attr.Item {
	return attr.Item{"pk": attr.String("REPOSITORIES#" + vcs + "#" + installation)}
}

func key(vcs, installation, id string) attr.Item {
	item := partition(vcs, installation)
	item["sk"] = attr.String(padded(id))
	return item
}

// padded makes an id of at most 20 digits sort as a number.
func padded(id string) string { return strings.Repeat("0", max(0, 20-len(id))) + id }

// Get reads a repository, strongly consistent; fault.ErrNotFound for one that
// is not known or is gone.
func (s Store) Get(ctx context.Context, vcs, installation, id string) (Repository, error) {
	out, err := s.DB.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.Table, Key: key(vcs, installation, id), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return Repository{}, fmt.Errorf("read repository: %w", err)
	}
	if len(out.Item) == 0 || attr.Read(out.Item).Bool("gone") {
		return Repository{}, fault.ErrNotFound
	}
	return decode(out.Item)
}

func decode(item attr.Item) (Repository, error) {
	r := attr.Read(item)
	found := Repository{
		ID: r.String("id"), Owner: r.String("owner"), Name: r.String("name"), DefaultBranch: r.String("branch"),
		Archived: r.Bool("archived"), Private: r.Bool("private"), Setup: r.Bool("setup"), KnownSince: r.Time("created_at"),
	}
	if err := r.Err(); err != nil {
		return Repository{}, fmt.Errorf("decode repository %s: %w", found.ID, err)
	}
	return found, nil
}

// fact is a part of what is known of a repository, with the version of it:
// each part is as new as the newest fact that told it.
type fact struct {
	version string // attribute of the version
	set     map[string]types.AttributeValue
	remove  []string
}

// Apply takes in a fact of a version. Of what is newer already nothing is
// changed, so that facts may come in any order and again. Versions are
// compared as texts.
func (s Store) Apply(ctx context.Context, author change.Author, vcs, installation string, seen Seen, version string) error {
	facts := []fact{{
		version: "seen",
		set: attr.Item{
			"id": attr.String(seen.ID), "owner": attr.String(seen.Owner), "name": attr.String(seen.Name),
			"by_name": attr.String(cursor(seen.Name, seen.ID)),
		},
		remove: []string{"gone", "ttl"},
	}}
	if seen.Private != nil {
		facts = append(facts, fact{version: "seen_private", set: attr.Item{"private": attr.Bool(*seen.Private)}})
	}
	if d := seen.Details; d != nil {
		facts = append(facts, fact{version: "seen_details", set: attr.Item{
			"branch": attr.String(d.DefaultBranch), "archived": attr.Bool(d.Archived),
		}})
	}
	if seen.Setup != nil {
		facts = append(facts, fact{version: "seen_setup", set: attr.Item{"setup": attr.Bool(*seen.Setup)}})
	}
	at := key(vcs, installation, seen.ID)
	newer, err := s.write(ctx, author, at, version, facts...)
	if newer || err != nil {
		return err
	}
	// Some of it is known better: each part for itself. The first makes the item, if there is none.
	for _, f := range facts {
		if _, err := s.write(ctx, author, at, version, f); err != nil {
			return err
		}
	}
	return nil
}

// write sets parts of an item, unless one of them is known as of that version
// or a newer one. It reports whether it did.
func (s Store) write(ctx context.Context, author change.Author, at attr.Item, version string, facts ...fact) (bool, error) {
	u := s.update(author, at, version, facts...)
	_, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: u.TableName, Key: u.Key, UpdateExpression: u.UpdateExpression, ConditionExpression: u.ConditionExpression,
		ExpressionAttributeNames: u.ExpressionAttributeNames, ExpressionAttributeValues: u.ExpressionAttributeValues,
	})
	var known *types.ConditionalCheckFailedException
	if errors.As(err, &known) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("write repository: %w", err)
	}
	return true, nil
}

// update is the write of parts, on condition that each is older.
func (s Store) update(author change.Author, at attr.Item, version string, facts ...fact) *types.Update {
	values := attr.Item{":version": attr.String(version), ":now": attr.Time(author.At)}
	names := map[string]string{}
	set := "SET created_at = if_not_exists(created_at, :now), " + author.Set(values)
	var remove, conditions []string
	for _, f := range facts {
		set += ", " + f.version + " = :version"
		conditions = append(conditions, "(attribute_not_exists("+f.version+") OR "+f.version+" < :version)")
		for name, value := range f.set {
			names["#"+name], values[":"+name] = name, value
			set += ", #" + name + " = :" + name
		}
		for _, name := range f.remove {
			names["#"+name] = name
			remove = append(remove, "#"+name)
		}
	}
	if len(remove) > 0 {
		set += " REMOVE " + strings.Join(remove, ", ")
	}
	return &types.Update{
		TableName: &s.Table, Key: at, UpdateExpression: &set, ExpressionAttributeValues: values,
		ConditionExpression: aws.String(strings.Join(conditions, " AND ")), ExpressionAttributeNames: names,
	}
}
