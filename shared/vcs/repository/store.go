package repository

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Store keeps repositories in VcsTable, one item each: pk
// REPOSITORIES#<vcs>#<installation>, sk the id with leading zeros.
type Store struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is the physical name of VcsTable.
	Table string
}

func partition(in vcs.Installation) attr.Item {
	return attr.Item{"pk": attr.String("REPOSITORIES#" + string(in.VCS) + "#" + string(in.ID))}
}

func key(of vcs.Repository) attr.Item {
	item := partition(of.Installation)
	item["sk"] = attr.String(of.ID.Sortable())
	return item
}

// Get reads a repository with a strongly consistent read. It returns
// fault.ErrNotFound if the repository is not known or is gone.
func (s Store) Get(ctx context.Context, of vcs.Repository) (Repository, error) {
	out, err := s.DB.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.Table, Key: key(of), ConsistentRead: aws.Bool(true),
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
		ID: vcs.ID(r.String("id")), Owner: r.String("owner"), Name: r.String("name"), DefaultBranch: r.String("branch"),
		Archived: r.Bool("archived"), Private: r.Bool("private"), Setup: r.Bool("setup"), KnownSince: r.Time("created_at"),
	}
	if err := r.Err(); err != nil {
		return Repository{}, fmt.Errorf("decode repository %s: %w", found.ID, err)
	}
	return found, nil
}
