package repository

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/attr"
	"github.com/opsplane/opsplane/shared/awsclient"
	"github.com/opsplane/opsplane/shared/change"
	"github.com/opsplane/opsplane/shared/task"
)

// Removal is what a task notes that removes the pull requests of a repository:
// those that are known as of Version or an older one.
type Removal struct {
	Repository string `json:"repository"`
	Version    string `json:"version"`
	// After is the cursor behind which it goes on.
	After string `json:"after,omitempty"`
}

// RemovalTask is the task that removes what belongs to a repository that is
// gone as of a version. The owner is who asked for it, a user's id; empty where
// a host told it.
func RemovalTask(owner, vcs, installation, id, version string) task.Task {
	t := task.Task{ID: uuid.NewString(), Kind: task.RemovePullRequests, Owner: owner, VCS: vcs, Installation: installation}
	t.Name = task.Title(t.Kind, t.ID, installation)
	note, err := json.Marshal(Removal{Repository: id, Version: version})
	if err != nil {
		panic(err) // texts alone
	}
	t.Note = string(note)
	return t
}

// attempts bounds how often a transaction is made that meets others.
const attempts = 4

// Gone takes in that a repository no longer belongs to the installation, as of
// a version, in one transaction with the writes that make its RemovalTask. It
// reports whether it did: false if something newer is known, and so nothing was
// changed.
func (s Store) Gone(ctx context.Context, author change.Author, vcs, installation, id, version string, writes []types.TransactWriteItem) (bool, error) {
	gone := types.TransactWriteItem{Update: s.update(author, key(vcs, installation, id), version, fact{
		version: "seen",
		set: attr.Item{
			"id": attr.String(id), "gone": attr.Bool(true), "emptied": attr.String(version), "ttl": attr.Time(author.At.Add(Keep)),
		},
		remove: []string{"by_name"},
	})}
	var err error
	for n := range attempts {
		if err := awsclient.Pause(ctx, n); err != nil {
			return false, err
		}
		_, err = s.DB.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
			TransactItems: append([]types.TransactWriteItem{gone}, writes...),
		})
		switch {
		case err == nil:
			return true, nil
		case awsclient.ConditionFailed(err, 0):
			return false, nil
		case !awsclient.Overtaken(err):
			return false, fmt.Errorf("remove repository: %w", err)
		}
	}
	return false, fmt.Errorf("remove repository: %w", err)
}

// NotEmptied is the check of a transaction that writes a fact of a version about
// something within the repository: what was removed with the repository does not
// come back by a fact that arrives late.
func (s Store) NotEmptied(vcs, installation, id, version string) types.TransactWriteItem {
	return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: &s.Table, Key: key(vcs, installation, id),
		ConditionExpression:       aws.String("attribute_not_exists(emptied) OR emptied < :version"),
		ExpressionAttributeValues: attr.Item{":version": attr.String(version)},
	}}
}

// Known is a repository as a refresh compares it with what the host lists.
type Known struct {
	ID string
	// Version is that of the newest fact that says it exists.
	Version string
}

// Live answers the repositories of an installation, in the order of their ids
// from behind one of them (empty: from the first), at most limit of them.
func (s Store) Live(ctx context.Context, vcs, installation, after string, limit int) (list []Known, next string, err error) {
	in := &dynamodb.QueryInput{
		TableName: &s.Table, ConsistentRead: aws.Bool(true), Limit: aws.Int32(int32(limit)),
		KeyConditionExpression:    aws.String("pk = :pk AND sk > :after"),
		ProjectionExpression:      aws.String("id, seen, gone"),
		ExpressionAttributeValues: attr.Item{":pk": partition(vcs, installation)["pk"], ":after": attr.String("-")},
	}
	if after != "" {
		in.ExpressionAttributeValues[":after"] = attr.String(padded(after))
	}
	out, err := s.DB.Query(ctx, in)
	if err != nil {
		return nil, "", fmt.Errorf("list repositories: %w", err)
	}
	for _, item := range out.Items {
		r := attr.Read(item)
		known := Known{ID: r.String("id"), Version: r.String("seen")}
		if err := r.Err(); err != nil {
			return nil, "", fmt.Errorf("decode repository: %w", err)
		}
		if next = known.ID; !r.Bool("gone") {
			list = append(list, known)
		}
	}
	if len(out.LastEvaluatedKey) == 0 {
		next = ""
	}
	return list, next, nil
}
