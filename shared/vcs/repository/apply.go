package repository

import (
	"context"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
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
	stated := []string{attrSeenName}
	flag := func(name string, value *bool, p *part[bool]) {
		if value != nil {
			*p, stated = part[bool]{version, *value}, append(stated, name)
		}
	}
	flag(attrSeenPrivate, seen.Private, &fact.private)
	flag(attrSeenArchived, seen.Archived, &fact.archived)
	flag(attrSeenSetup, seen.Setup, &fact.setup)
	if seen.DefaultBranch != "" {
		fact.branch, stated = part[string]{version, seen.DefaultBranch}, append(stated, attrSeenBranch)
	}
	of := in.Repository(seen.ID)
	u := set(author, of, fact.attributes(of.ID), attrGone, attrTTL)
	for _, name := range stated {
		u.If(olderThan(name, version))
	}
	if there == "" {
		u.If(table.Absent(attrEmptied))
	} else {
		u.If(olderThan(attrSeen, there), olderThan(attrEmptied, min(version, there)))
	}
	return s.apply(ctx, author, of, fact, u)
}

// Given stores that the installation was given a repository, as of a version. Its
// names are used only if no fact has described the repository since it was last
// gone, because this fact may arrive after a rename. Of seen, only the names and
// Private are used. A nil Private counts as false.
func (s Store) Given(ctx context.Context, author change.Author, in vcs.Installation, seen vcs.Description, version vcs.Version) error {
	fact := known{there: version, listed: part[listing]{version, listing{
		FullName: FullName{seen.Owner, seen.Name}, private: seen.Private != nil && *seen.Private,
	}}}
	of := in.Repository(seen.ID)
	return s.apply(ctx, author, of, fact, set(author, of, fact.attributes(of.ID)).If(table.Absent("pk")))
}

func (s Store) apply(ctx context.Context, author change.Author, of vcs.Repository, fact known, first *table.Edit) error {
	_, err := s.take(ctx, author, of, fact, first, taking{
		wanted: func(known) bool { return true },
		write: func(ctx context.Context, u *table.Edit) (attr.Item, bool, error) {
			err := s.table().Update(ctx, u)
			old, failed := table.ConditionFailed(err)
			return old, failed, err
		},
	})
	return err
}
