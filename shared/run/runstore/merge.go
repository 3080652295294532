package runstore

import (
	"context"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Merge is the merge of a pull request.
type Merge struct {
	// Number is that of the pull request.
	Number int64
	// Seq is the place of the merge in the order of the repository's runs. No run and no
	// other merge shares it.
	Seq int64
	// Commit is the commit of the destination branch that the merge made.
	Commit string
}

const (
	mergePrefix = "MERGE#"      // and the Seq
	mergeOf     = "MERGEDPULL#" // and the number
)

func mergeKey(r vcs.Repository, seq int64) attr.Item {
	return in(lane(r), mergePrefix+sortableSeq(seq))
}

func mergeOfKey(r vcs.Repository, number int64) attr.Item {
	return in(lane(r), fmt.Sprint(mergeOf, number))
}

// Merged gives the merge of a pull request its place in the order of the repository's
// runs. A repetition returns the place that the merge has. It returns ErrContended if
// other writers kept it from doing so.
func (s Store) Merged(ctx context.Context, r vcs.Repository, number int64, commit string, now time.Time) (Merge, error) {
	for n := range maxSeqTries {
		if err := table.Pause(ctx, n); err != nil {
			return Merge{}, err
		}
		if m, known, err := s.MergeOf(ctx, r, number); err != nil || known {
			return m, err
		}
		lane, err := s.counters(ctx, r)
		if err != nil {
			return Merge{}, err
		}
		m := Merge{number, lane.seq + 1, commit}
		err = s.table().Transact(ctx, append([]table.Write{
			s.table().WritePut(s.encodeMerge(r, mergeOfKey(r, number), m, now), table.Absent("pk")), s.table().WritePut(s.encodeMerge(r, mergeKey(r, m.Seq), m, now)),
		}, s.takeSeq(r, lane)...)...)
		if err == nil {
			return m, nil
		}
		if !unmet(err) && !table.Contended(err) {
			return Merge{}, fmt.Errorf("store merge: %w", err)
		}
	}
	return Merge{}, ErrContended
}

// MergeOf reads the merge of a pull request, strongly consistent. ok is false if it was not
// recorded.
func (s Store) MergeOf(ctx context.Context, r vcs.Repository, number int64) (m Merge, ok bool, err error) {
	item, err := s.table().Get(ctx, mergeOfKey(r, number))
	if err != nil {
		return Merge{}, false, fmt.Errorf("read merge: %w", err)
	}
	if item == nil {
		return Merge{}, false, nil
	}
	m, err = decodeMerge(item)
	return m, err == nil, err
}

func (s Store) encodeMerge(r vcs.Repository, key attr.Item, m Merge, now time.Time) attr.Item {
	key["number"], key[attrSeq], key["commit"] = attr.Int(m.Number), attr.Int(m.Seq), attr.String(m.Commit)
	key["installation"], key[attrTTL] = attr.String(string(r.Installation.ID)), attr.Time(now.Add(s.Limits.Keep))
	return key
}

func decodeMerge(item attr.Item) (Merge, error) {
	read := attr.Read(item)
	m := Merge{read.Int("number"), read.Int(attrSeq), read.String("commit")}
	if err := read.Err(); err != nil {
		return Merge{}, fmt.Errorf("decode merge: %w", err)
	}
	return m, nil
}

// NewestMerge reads the newest merge of a repository, strongly consistent. It is zero if
// there is none.
func (s Store) NewestMerge(ctx context.Context, r vcs.Repository) (Merge, error) {
	page, err := s.table().Query(ctx, table.Query{
		Key: []table.Condition{table.Equal("pk", lane(r)["pk"]), table.BeginsWith("sk", attr.String(mergePrefix))}, Backward: true, Limit: 1,
	})
	if err != nil {
		return Merge{}, fmt.Errorf("read newest merge: %w", err)
	}
	if len(page.Items) == 0 {
		return Merge{}, nil
	}
	return decodeMerge(page.Items[0])
}
