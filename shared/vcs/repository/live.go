package repository

import (
	"context"
	"fmt"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Known is a repository in the form that a refresh compares with the host's list.
type Known struct {
	ID vcs.ID
	// Version is the version of the newest fact that proves that the repository
	// exists. It is empty if no such fact had a time.
	Version vcs.Version
}

// Live returns the repositories of an installation that are not gone, in the order
// of their ids, at most limit of them. It begins after the id after, or with the
// first if after is empty. next is the id after which to continue; empty after the
// last one.
func (s Store) Live(ctx context.Context, of vcs.Installation, after vcs.ID, limit int) (list []Known, next vcs.ID, err error) {
	query := table.Query{Key: []table.Condition{ofInstallation(of)}, Names: []string{attrID, attrSeen, attrGone}, Limit: limit}
	if after != "" {
		query.Key = append(query.Key, table.Greater("sk", attr.String(after.Sortable())))
	}
	page, err := s.table().Query(ctx, query)
	if err != nil {
		return nil, "", fmt.Errorf("list repositories: %w", err)
	}
	for _, item := range page.Items {
		r := attr.Read(item)
		known := Known{ID: vcs.ID(r.String(attrID)), Version: vcs.Version(r.String(attrSeen))}
		if err := r.Err(); err != nil {
			return nil, "", fmt.Errorf("decode repository: %w", err)
		}
		if next = known.ID; !r.Bool(attrGone) {
			list = append(list, known)
		}
	}
	if page.Next == nil {
		next = ""
	}
	return list, next, nil
}
