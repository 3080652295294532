package repository

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
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

func partition(in vcs.Installation) table.Value {
	return attr.String(prefix + string(in.VCS) + "#" + string(in.ID))
}

// ofInstallation returns the condition of a query for the repositories of an installation.
func ofInstallation(installation vcs.Installation) table.Condition {
	return table.Equal("pk", partition(installation))
}

func key(of vcs.Repository) attr.Item {
	return attr.Item{"pk": partition(of.Installation), "sk": attr.String(of.ID.Sortable())}
}

func (s Store) table() table.Table { return table.Table{DB: s.DB, Name: s.Table} }

// Get reads a repository with a strongly consistent read. It returns
// fault.ErrNotFound if the repository is not known or is gone.
func (s Store) Get(ctx context.Context, of vcs.Repository) (Repository, error) {
	item, err := s.table().Get(ctx, key(of))
	if err != nil {
		return Repository{}, fmt.Errorf("read repository: %w", err)
	}
	if item == nil || attr.Read(item).Bool(attrGone) {
		return Repository{}, fault.ErrNotFound
	}
	return decode(item)
}

func decode(item attr.Item) (Repository, error) {
	r := attr.Read(item)
	found := Repository{
		ID: vcs.ID(r.String(attrID)), Owner: r.String(attrOwner), Name: r.String(attrName), DefaultBranch: r.String(attrBranch),
		Archived: r.Bool(attrArchived), Private: r.Bool(attrPrivate), Setup: r.Bool(attrSetup), KnownSince: r.Time(attrCreated),
	}
	if err := r.Err(); err != nil {
		return Repository{}, fmt.Errorf("decode repository %s: %w", found.ID, err)
	}
	return found, nil
}
