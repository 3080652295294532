package installation

import (
	"context"
	"fmt"
	"slices"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Apply stores what a host stated about an installation. It stores two parts: the
// name, and the state with the target type. Each part has the version of the fact
// and is stored unless a newer one is known. So facts may arrive in any order and
// more than once. The name may be empty if the host did not state it. Then an
// installation that was not known gets its id as its name, until a fact states the
// name.
func (s Store) Apply(ctx context.Context, author change.Author, i Installation, version vcs.Version) error {
	state := stateOf(i, version)
	if i.Name == "" {
		i.Name = string(i.ID)
		// The name gets no version, so that any fact that states one replaces it.
		_, err := s.take(ctx, author, i, func(u *table.Edit) { u.SetFirst(attrName, attr.String(i.Name)) }, state)
		return err
	}
	named := nameOf(i, version)
	newest, err := s.take(ctx, author, i, named, state)
	if newest || err != nil {
		return err
	}
	// A newer fact of one part is known, or of both: write each part on its own.
	for _, one := range []part{named, state} {
		if _, err := s.take(ctx, author, i, one); err != nil {
			return err
		}
	}
	return nil
}

// Rename stores the name of an installation as of a version, unless a newer name is
// known. An installation that was not known gets the state Installed.
func (s Store) Rename(ctx context.Context, author change.Author, i Installation, version vcs.Version) error {
	_, err := s.take(ctx, author, i, nameOf(i, version), func(u *table.Edit) {
		u.SetFirst(attrState, attr.String(string(Installed)))
	})
	return err
}

// part adds one part of what a host stated to the write of an installation.
type part func(*table.Edit)

// nameOf is the name as of a version.
func nameOf(i Installation, version vcs.Version) part {
	return func(u *table.Edit) {
		u.Set(attrName, attr.String(i.Name)).Set(attrSeenName, attr.String(string(version)))
		u.If(olderThan(attrSeenName, version))
	}
}

// stateOf is the state with the target type as of a version.
func stateOf(i Installation, version vcs.Version) part {
	return func(u *table.Edit) {
		u.Set(attrState, attr.String(string(i.State))).Set(attrSeen, attr.String(string(version)))
		if i.TargetType != "" { // it never changes to another one
			u.Set(attrTargetType, attr.String(i.TargetType))
		}
		u.If(olderThan(attrSeen, version))
	}
}

// olderThan holds if the version in an attribute is older than a version, or if
// there is none.
func olderThan(name string, version vcs.Version) table.Condition {
	return table.AbsentOr(name, table.Less(name, attr.String(string(version))))
}

// take writes parts of a fact in one write. It writes nothing if one of the parts
// is known as of that version or a newer one. It reports whether it wrote.
func (s Store) take(ctx context.Context, author change.Author, i Installation, parts ...part) (bool, error) {
	if err := i.valid(); err != nil {
		return false, err
	}
	u := table.Change(key(i.Key())).SetFirst(attrCreated, attr.Time(author.At)).SetAll(author.All())
	for _, add := range parts {
		add(u)
	}
	return s.write(ctx, u)
}

// Ensure stores an installation that a host only mentioned. It changes nothing if
// the installation is known.
func (s Store) Ensure(ctx context.Context, author change.Author, i Installation) error {
	if err := i.valid(); err != nil {
		return err
	}
	_, err := s.write(ctx, table.Change(key(i.Key())).
		Set(attrName, attr.String(i.Name)).Set(attrState, attr.String(string(Installed))).Set(attrCreated, attr.Time(author.At)).
		SetAll(author.All()).If(table.Absent("pk")))
	return err
}

// Delivered records that the installation's webhook has delivered something. An
// installation that is known and has no state gets the state Installed.
func (s Store) Delivered(ctx context.Context, author change.Author, i vcs.Installation) error {
	if err := access.CheckInstallation(i); err != nil {
		return err
	}
	_, err := s.write(ctx, table.Change(key(i)).Set(attrState, attr.String(string(Installed))).SetAll(author.All()).
		If(table.Exists("pk"), table.Absent(attrState)))
	return err
}

// write makes a write. If its condition fails, there is nothing to do. It reports
// whether the write was made.
func (s Store) write(ctx context.Context, u *table.Edit) (bool, error) {
	err := s.table().Update(ctx, u)
	if _, failed := table.ConditionFailed(err); failed {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("write installation: %w", err)
	}
	return true, nil
}

// Known returns the installations with the ids at a VCS, in the order of ids. It
// leaves out those that are not known. The ids are different.
func (s Store) Known(ctx context.Context, system vcs.VCS, ids []vcs.ID) ([]Installation, error) {
	found := map[vcs.ID]Installation{}
	for some := range slices.Chunk(ids, table.MaxBatch) {
		batch := table.Batch{}
		for _, id := range some {
			batch.Keys = append(batch.Keys, key(vcs.Installation{VCS: system, ID: id}))
		}
		items, err := s.table().BatchGet(ctx, batch)
		if err != nil {
			return nil, fmt.Errorf("read installations: %w", err)
		}
		for _, item := range items {
			i, err := Decode(item)
			if err != nil {
				return nil, err
			}
			found[i.ID] = i
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
