package repository

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Query selects repositories of an installation. At most one of After, Before,
// AfterName and BeforeName is set.
type Query struct {
	// After and Before are cursors. Only repositories that come later than After,
	// or earlier than Before, in the list are returned; the one at the cursor is
	// not.
	After, Before string
	// AfterName and BeforeName are names. Only repositories with a larger name, or
	// with a smaller name, are returned.
	AfterName, BeforeName string
	// Limit is the maximum number of repositories.
	Limit int
}

// List returns repositories in the order of their names, byte by byte, and then of
// their ids. With Before or BeforeName the order is reversed.
func (s Store) List(ctx context.Context, in vcs.Installation, q Query) ([]Repository, error) {
	condition, values := "pk = :pk", attr.Item{":pk": partition(in)["pk"]}
	bound := func(comparison, value string) {
		condition += " AND by_name " + comparison + " :cursor"
		values[":cursor"] = attr.String(value)
	}
	switch {
	case q.After != "":
		bound(">", q.After)
	case q.Before != "":
		bound("<", q.Before)
	case q.AfterName != "": // the first text that sorts after every cursor of the name
		bound(">=", q.AfterName+"\x01")
	case q.BeforeName != "":
		bound("<", q.BeforeName+"\x00")
	}
	out, err := s.DB.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.Table, IndexName: aws.String("by_name"), ConsistentRead: aws.Bool(true), Limit: aws.Int32(int32(q.Limit)),
		KeyConditionExpression: &condition, ExpressionAttributeValues: values,
		ScanIndexForward: aws.Bool(q.Before == "" && q.BeforeName == ""),
	})
	if err != nil {
		return nil, fmt.Errorf("list repositories: %w", err)
	}
	list := make([]Repository, len(out.Items))
	for i, item := range out.Items {
		if list[i], err = decode(item); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// FullName is the owner and the name of a repository.
type FullName struct{ Owner, Name string }

// Names returns the present names of repositories by their ids. It also returns the
// names of those that are gone, if they are still stored. ids may hold at most
// awsclient.MaxBatch different ids.
func (s Store) Names(ctx context.Context, in vcs.Installation, ids []vcs.ID) (map[vcs.ID]FullName, error) {
	names := map[vcs.ID]FullName{}
	asked := types.KeysAndAttributes{
		ProjectionExpression: aws.String("id, #owner, #name"), ExpressionAttributeNames: map[string]string{"#owner": "owner", "#name": "name"},
	}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		asked.Keys = append(asked.Keys, key(in.Repository(id)))
	}
	if len(asked.Keys) == 0 {
		return names, nil
	}
	items, err := awsclient.BatchGet(ctx, s.DB, s.Table, asked)
	if err != nil {
		return nil, fmt.Errorf("read names of repositories: %w", err)
	}
	for _, item := range items {
		r := attr.Read(item)
		names[vcs.ID(r.String("id"))] = FullName{Owner: r.String("owner"), Name: r.String("name")}
		if err := r.Err(); err != nil {
			return nil, fmt.Errorf("decode repository: %w", err)
		}
	}
	return names, nil
}
