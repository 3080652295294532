package repository

import (
	"context"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Gone stores that a repository no longer belongs to the installation, as of a
// version. writes create its RemovalTask, in the same transaction. A repository
// that exists as of a later version stays, but loses what it held before this
// version. If all facts about a repository said only that it is gone, Gone stores
// the loss and creates no task, because nothing belongs to the repository. A second
// call, or a call with an older version, changes nothing.
func (s Store) Gone(ctx context.Context, author change.Author, of vcs.Repository, version vcs.Version, writes []table.Write) error {
	_, err := s.gone(ctx, author, of, version, writes, taking{wanted: func(known) bool { return true }})
	return err
}

// Remove does what Gone does, but this server decides it, from what is known about
// the repository. It reports whether the repository is gone because of this call.
// It returns false if a newer fact is known; then it has changed nothing. Remove
// also deletes the description of the repository. For a loss that a host stated,
// the description must stay until all older facts have arrived.
func (s Store) Remove(ctx context.Context, author change.Author, of vcs.Repository, version vcs.Version, writes []table.Write) (bool, error) {
	return s.gone(ctx, author, of, version, writes, taking{
		wanted: func(before known) bool { return max(before.there, before.emptied) < version }, erase: true,
	})
}

func (s Store) gone(ctx context.Context, author change.Author, of vcs.Repository, version vcs.Version, writes []table.Write, how taking) (bool, error) {
	fact, removes := known{emptied: version}, []string{attrByName}
	if how.erase {
		removes = described
	}
	first := set(author, of, fact.attributes(of.ID), removes...).If(
		table.Absent(attrListed), olderThan(attrEmptied, version), olderThan(attrSeen, version),
		table.Any(table.Exists(attrSeen), table.Exists(attrSeenName)))
	existed := true // some fact says more than that it is gone
	how.write = func(ctx context.Context, u *table.Edit) (attr.Item, bool, error) {
		all := []table.Write{s.table().WriteUpdate(u)}
		if existed {
			all = append(all, writes...)
		}
		err := s.table().TransactOnce(ctx, "", all...) // take makes it again, with what it knows by then
		old, failed := table.ConditionFailedAt(err, 0)
		if failed {
			existed = old[attrSeen] != nil || old[attrSeenName] != nil
		}
		return old, failed, err
	}
	return s.take(ctx, author, of, fact, first, how)
}

// NotEmptied returns the check of a transaction that writes a fact of a version
// about something within the repository. Items that were removed with the
// repository must not come back by an older fact, even if the repository is back.
// Hosts do not say when a repository was given back. So if something happened
// between the loss and the return, and its fact arrives after the loss, the fact is
// not stored.
func (s Store) NotEmptied(of vcs.Repository, version vcs.Version) table.Write {
	return s.table().WriteCheck(key(of), olderThan(attrEmptied, version))
}
