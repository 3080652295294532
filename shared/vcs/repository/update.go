package repository

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// maxTries is the maximum number of writes of one fact, when others write the same
// item at the same time.
const maxTries = 6

var errContended = errors.New("others write it at the same time, again and again")

// taking says how a fact is stored.
type taking struct {
	// wanted reports whether the fact is to be joined with what was known before.
	wanted func(before known) bool
	// write makes a change of the item. If a condition of the change does not hold,
	// it returns the item, and true.
	write func(context.Context, *table.Edit) (old attr.Item, failed bool, err error)
	// erase says that the description is deleted.
	erase bool
}

// take stores a fact about a repository. It tries the first change without reading
// the item: that succeeds if all of the fact is newer than what is known. If its
// condition does not hold, take joins the fact with the item. It reports whether
// anything was changed.
func (s Store) take(ctx context.Context, author change.Author, of vcs.Repository, fact known, first *table.Edit, how taking) (bool, error) {
	err := errContended
	for n, u := 0, first; n < maxTries; n++ {
		if err := table.Pause(ctx, max(0, n-1)); err != nil {
			return false, err
		}
		var old attr.Item
		var failed bool
		old, failed, err = how.write(ctx, u)
		switch {
		case failed:
		case err == nil:
			return true, nil
		case table.Overtaken(err):
			continue
		default:
			return false, fmt.Errorf("write repository: %w", err)
		}
		r := attr.Read(old)
		before := knownOf(r)
		if err := r.Err(); err != nil {
			return false, fmt.Errorf("decode repository %s: %w", of.ID, err)
		}
		after := before.join(fact)
		if how.erase {
			after = after.erased()
		}
		if after == before || !how.wanted(before) {
			return false, nil
		}
		u, err = replace(author, of, old, after), errContended
	}
	return false, fmt.Errorf("write repository: %w", err)
}

// set returns the change that sets attributes of a repository's item and removes
// others. Each change increments the item's revision.
func set(author change.Author, of vcs.Repository, item attr.Item, removes ...string) *table.Edit {
	u := table.Change(key(of)).SetFirst(attrCreated, attr.Time(author.At)).SetAll(author.All()).SetAll(item).
		Remove(removes...).Add(attrRevision, attr.Int(1)).KeepOld()
	if item[attrGone] != nil {
		u.Set(attrTTL, attr.Time(author.At.Add(Keep)))
	}
	return u
}

// replace returns the change that writes all that is known. Its condition is that
// the item is still the old one.
func replace(author change.Author, of vcs.Repository, old attr.Item, after known) *table.Edit {
	item := after.attributes(of.ID)
	kept := attr.Item{attrRevision: nil, attrCreated: nil}
	if item[attrGone] != nil {
		kept[attrTTL] = nil // set gives it a new value
	}
	for _, others := range []attr.Item{key(of), author.All(), item} {
		maps.Copy(kept, others)
	}
	var removes []string
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if _, keep := kept[name]; !keep {
			removes = append(removes, name)
		}
	}
	u := set(author, of, item, removes...)
	if revision := old[attrRevision]; revision != nil {
		return u.If(table.Equal(attrRevision, revision))
	}
	return u.If(table.Absent(attrRevision))
}

// olderThan holds if the version in an attribute is older than a version, or if
// there is none.
func olderThan(name string, version vcs.Version) table.Condition {
	return table.AbsentOr(name, table.Less(name, attr.String(string(version))))
}
