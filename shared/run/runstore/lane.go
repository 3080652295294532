package runstore

import (
	"context"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// A lane's item has two counters. seq is the last place in the order of the repository's
// runs: a run or an unlock got it. claims counts the claims of its runs. hold is the time until which nobody
// claims a run, because the host does not take requests. The item never expires, and
// it outlives the runs of a repository that is removed: a Seq is never given twice. Only
// the erasure of the installation removes it.
func laneKey(r vcs.Repository) attr.Item { return in(lane(r), laneSort) }

const (
	laneSort   = "LANE"
	attrSeq    = "seq"
	attrClaims = "claims"
	attrHold   = "hold"
	// attrOf is the installation that has the repository among those with runs.
	attrOf = "installation"
)

// counters is what a lane's item holds.
type counters struct {
	seq, claims int64
	hold        time.Time
	// listed is the installation that has the repository among those with runs.
	listed vcs.ID
}

// counters reads a lane's item. All is zero if the repository never had a run or an
// unlock.
func (s Store) counters(ctx context.Context, r vcs.Repository) (counters, error) {
	item, err := s.table().Get(ctx, laneKey(r))
	if err != nil {
		return counters{}, fmt.Errorf("read lane: %w", err)
	}
	read := attr.Read(item)
	found := counters{seq: read.Int(attrSeq), claims: read.Int(attrClaims), hold: millis(read, attrHold), listed: vcs.ID(read.String(attrOf))}
	if err := read.Err(); err != nil {
		return counters{}, fmt.Errorf("decode lane of %s: %w", r, err)
	}
	return found, nil
}

// hold returns the write that keeps everybody from claiming runs of a repository
// until a time.
func (s Store) hold(r vcs.Repository, until time.Time) table.Write {
	return s.table().WriteUpdate(table.Change(laneKey(r)).Set(attrHold, attr.Int(until.UnixMilli())))
}

// takeSeq returns the writes that take the place after the one that was read. The first
// one cancels the transaction if another run or unlock has got it since. They also put
// the repository among those with runs.
func (s Store) takeSeq(r vcs.Repository, was counters) []table.Write {
	writes := []table.Write{s.table().WriteUpdate(s.raised(r, attrSeq, was.seq).Set(attrOf, attr.String(string(r.Installation.ID))))}
	if was.listed != r.Installation.ID {
		writes = append(writes, s.table().WritePut(listedKey(r)))
	}
	return writes
}

// countClaim returns the write that counts a claim. It cancels the transaction if
// another claim was made since the count was read.
func (s Store) countClaim(r vcs.Repository, was int64) table.Write {
	return s.raise(r, attrClaims, was)
}

// raise returns the write that raises a counter by one, if it is as it was read.
func (s Store) raise(r vcs.Repository, name string, was int64) table.Write {
	return s.table().WriteUpdate(s.raised(r, name, was))
}

func (s Store) raised(r vcs.Repository, name string, was int64) *table.Edit {
	same := table.Equal(name, attr.Int(was))
	if was == 0 {
		same = table.Absent(name)
	}
	return table.Change(laneKey(r)).Set(name, attr.Int(was+1)).If(same)
}
