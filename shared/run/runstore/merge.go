package runstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	// Branch is the destination branch.
	Branch string
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

// ofBranch is the beginning of the sort keys of the merges into a branch. A branch may have
// every character.
func ofBranch(branch string) string {
	sum := sha256.Sum256([]byte(branch))
	return mergePrefix + hex.EncodeToString(sum[:8]) + "#"
}

func mergeKey(r vcs.Repository, m Merge) attr.Item {
	return in(lane(r), ofBranch(m.Branch)+sortableSeq(m.Seq))
}

func mergeOfKey(r vcs.Repository, number int64) attr.Item {
	return in(lane(r), fmt.Sprint(mergeOf, number))
}

// Merged gives the merge of a pull request its place in the order of the repository's
// runs. m has no Seq. A repetition returns the place that the merge has. It returns
// ErrContended if other writers kept it from doing so.
func (s Store) Merged(ctx context.Context, r vcs.Repository, m Merge, now time.Time) (Merge, error) {
	for n := range maxSeqTries {
		if err := table.Pause(ctx, n); err != nil {
			return Merge{}, err
		}
		if found, known, err := s.MergeOf(ctx, r, m.Number); err != nil || known {
			return found, err
		}
		lane, err := s.counters(ctx, r)
		if err != nil {
			return Merge{}, err
		}
		m.Seq = lane.seq + 1
		err = s.table().Transact(ctx, append([]table.Write{
			s.table().WritePut(s.encodeMerge(r, mergeOfKey(r, m.Number), m, now), table.Absent("pk")), s.table().WritePut(s.encodeMerge(r, mergeKey(r, m), m, now)),
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
	key["branch"] = attr.String(m.Branch)
	key["installation"], key[attrTTL] = attr.String(string(r.Installation.ID)), attr.Time(now.Add(s.Limits.Keep))
	return key
}

func decodeMerge(item attr.Item) (Merge, error) {
	read := attr.Read(item)
	m := Merge{Number: read.Int("number"), Branch: read.String("branch"), Seq: read.Int(attrSeq), Commit: read.String("commit")}
	if err := read.Err(); err != nil {
		return Merge{}, fmt.Errorf("decode merge: %w", err)
	}
	return m, nil
}

// NewestMerge reads the newest merge into a branch of a repository, strongly consistent. It
// is zero if there is none.
func (s Store) NewestMerge(ctx context.Context, r vcs.Repository, branch string) (Merge, error) {
	page, err := s.table().Query(ctx, table.Query{
		Key: []table.Condition{table.Equal("pk", lane(r)["pk"]), table.BeginsWith("sk", attr.String(ofBranch(branch)))}, Backward: true, Limit: 1,
	})
	if err != nil {
		return Merge{}, fmt.Errorf("read newest merge: %w", err)
	}
	if len(page.Items) == 0 {
		return Merge{}, nil
	}
	return decodeMerge(page.Items[0])
}
