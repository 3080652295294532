// Package runindex finds the runs and the dirspaces of an installation that match a
// query, in the order of their creation, in pages.
//
// Each run has one index row for each thing that it can be found by: its pull
// request, its branch, each of its directories, and so on (the terms below). The
// rows of one term and value are a partition, in the order of the list. A page walks
// the partition that is expected to hold the fewest rows, or merges a few of them.
// So its costs depend on the page and on that partition, not on all runs.
//
// Package runstore writes the rows. Their invariants:
//
//   - A run's rows are written before the run is visible or in the transaction that
//     makes it visible. Those that tell its state are written in the transactions of
//     its transitions. All reads are strongly consistent. So a list shows what was
//     done before it was asked for.
//   - The run's own item decides. A row whose run is not visible is skipped.
//   - A row holds what never changes about the run. So what does not match by that
//     costs no second read.
package runindex

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// term names what the rows of some partitions have in common. Stored keys contain
// it.
type term string

// The terms, with their values.
const (
	all         term = "all"  // no value: every run
	repo        term = "repo" // the name of the repository
	pr          term = "pr"   // the number of the pull request, in any repository
	pull        term = "pull" // <repository id>#<number of the pull request>
	branch      term = "branch"
	person      term = "user"
	environment term = "environment"
	kind        term = "kind"
	typed       term = "type"  // the type that is shown
	dir         term = "dir"   // each directory of the run
	below       term = "below" // each directory that contains one of the run's

	active  term = "active"  // no value: runs that are queued or running
	failed  term = "failed"  // no value: completed runs that did not succeed in each directory
	aborted term = "aborted" // no value: aborted runs
	planned term = "planned" // <repository id>#<origin>#<commit>: completed plans
	// changed has a row for each change that a list shows, by the time of the change.
	// It has no value. Its rows expire early.
	changed term = "changed"
)

// walk names a partition.
type walk struct {
	term  term
	value string
}

func (w walk) partition(in vcs.Installation) string {
	return fmt.Sprintf("IDX#%s#%s#%s#%s", in.VCS, in.ID, w.term, w.value)
}

// key returns the key of a run's row in a partition.
func (w walk) key(r *run.Run, at time.Time) attr.Item {
	return attr.Item{"pk": attr.String(w.partition(r.Repository.Installation)), "sk": attr.String(sortKey(at, r.ID))}
}

// sortKey places a row: by the second, then by the id.
func sortKey(at time.Time, id run.ID) string { return attr.SortSeconds(at) + "#" + string(id) }

// parseSort reads what sortKey returned.
func parseSort(text string) (second int64, id run.ID, err error) {
	seconds, rest, ok := strings.Cut(text, "#")
	second, err = strconv.ParseInt(seconds, 10, 64)
	if !ok || err != nil {
		return 0, "", fmt.Errorf("%.80q is not the place of a run", text)
	}
	return second, run.ID(rest), nil
}

func numbered(id vcs.ID, number int64) string { return fmt.Sprintf("%s#%d", id, number) }
