// Package standing keeps what stands where: for each directory and workspace of a
// repository, the newest plan, the newest apply, the newest check for drift, and the
// outputs of the newest apply. The number of rows is that of workspaces. It does not
// grow with the number of runs.
//
// Package fold calls Record once for each run that has ended. The invariants:
//
//   - Newer means a larger Seq. A result never overwrites a newer one of the same kind,
//     in whatever order runs are recorded, and however often.
//   - A plan that an unlock has made void does not count. The unlock is not written
//     here: each reader compares (package runstore).
//   - A result is in the active rows of its repository (package runstore) until it is
//     recorded here. A reader that must miss nothing looks at both.
//   - No value of a sensitive output is stored.
package standing

import (
	"fmt"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Store keeps what stands where in RunsTable. It is safe for concurrent use.
type Store struct{ Table table.Table }

// Result is what one run did in one dirspace.
type Result struct {
	Run run.ID
	// Seq is the place of the run in the order of its repository's runs.
	Seq int64
	// Owner and Name are those of the repository when the run was created.
	Owner, Name string
	// Kind has no title.
	Kind         run.Kind
	Base, Source run.Ref
	Outcome      run.Outcome
	// Aborted says that an apply was aborted after its runner had begun: nobody knows
	// what it changed.
	Aborted bool
	// EndedAt is when the run ended, in whole milliseconds.
	EndedAt time.Time
	// Void says that an unlock has ended what was planned. Only List sets it.
	Void bool
}

// Succeeded reports whether every step of the dirspace succeeded or may fail.
func (r *Result) Succeeded() bool { return r.Outcome.Has(run.Succeeded) }

// after reports whether r exists and is newer than another result, which may be nil.
func (r *Result) after(other *Result) bool { return r != nil && (other == nil || r.Seq > other.Seq) }

// Row is what stands in one dirspace. A result that does not exist is nil.
type Row struct {
	Repository vcs.Repository
	run.Dirspace
	// Plan is the newest plan that is no check for drift. Good is the newest of these
	// that succeeded.
	Plan, Good *Result
	// Drift is the newest check for drift that succeeded.
	Drift *Result
	// Apply is the newest apply of any kind.
	Apply *Result
}

// Newest returns the newest result.
func (r Row) Newest() *Result {
	var newest *Result
	for _, one := range []*Result{r.Plan, r.Drift, r.Apply} {
		if one.after(newest) {
			newest = one
		}
	}
	return newest
}

// Place is the place of a row in a list. Rows stand by the id of the repository, then
// by directory and workspace, byte by byte.
type Place struct {
	Repository vcs.ID
	run.Dirspace
}

// PlaceOf returns the place of a row.
func PlaceOf(r Row) Place { return Place{r.Repository.ID, r.Dirspace} }

// tab separates the parts of sort keys. It sorts before everything that a directory or
// a workspace can hold: they have no control characters (run.NewDirspace).
const tab = "\t"

func (p Place) sort() string { return string(p.Repository) + tab + p.Dir + tab + p.Workspace }

// parsePlace reads what Place.sort returned.
func parsePlace(text string) (Place, error) {
	parts := strings.Split(text, tab)
	if len(parts) != 3 {
		return Place{}, fmt.Errorf("%.80q is not the place of a workspace", text)
	}
	return Place{vcs.ID(parts[0]), run.Dirspace{Dir: parts[1], Workspace: parts[2]}}, nil
}

// The partitions of an installation: the rows, the outputs of the newest applies, and
// the names of the repositories that have rows.
func rowsOf(in vcs.Installation) table.Value { return partition("STAND", in) }

func outputsOf(in vcs.Installation) table.Value { return partition("STANDOUT", in) }

func namesOf(in vcs.Installation) table.Value { return partition("STANDREPOS", in) }

// pullsOf is the partition of the newest results of each pull request of a repository.
func pullsOf(r vcs.Repository) table.Value {
	return attr.String(fmt.Sprintf("STANDPR#%s#%s#%s", r.Installation.VCS, r.Installation.ID, r.ID))
}

func partition(name string, in vcs.Installation) table.Value {
	return attr.String(fmt.Sprintf("%s#%s#%s", name, in.VCS, in.ID))
}

func keyIn(partition table.Value, sort string) attr.Item {
	return attr.Item{"pk": partition, "sk": attr.String(sort)}
}
