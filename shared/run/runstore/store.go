// Package runstore keeps runs in RunsTable. Its invariants:
//
//   - The run's own item decides. What hangs on it (its dirspaces, its manifest) is
//     written before, and counts only because the run's item says so.
//   - A state only moves forward (package run), and each transition is one
//     transaction that is conditional on the run's item. The transaction also writes
//     the run's row among the active runs of its repository and its reminder, so
//     these agree with the item at every moment.
//   - The runs of a repository have a total order: no two share a Seq.
//   - Of two applies of one dirspace, at most one is claimed or running.
//   - Each transition carries its author (package change).
package runstore

import (
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Store keeps runs in RunsTable.
type Store struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is the physical name of RunsTable.
	Table string
	// Limits are the times after which something happens to a run by itself.
	Limits Limits
}

// Limits are times after which something happens to a run by itself. All must be
// set, in whole seconds.
type Limits struct {
	// Keep is how long a run and all that hangs on it is kept after its creation. It
	// must be longer than a run can take.
	Keep time.Duration
	// Start is how long a runner may take to ask for its work after the dispatch.
	Start time.Duration
	// Report is how long a runner may take to send its result.
	Report time.Duration
}

// Errors of the store, besides fault.ErrNotFound for a run that does not exist or is
// not visible yet.
var (
	// ErrLost says that another writer was first: the claim is another's, or the run
	// is not as the caller saw it.
	ErrLost = errors.New("the run was changed by another writer")
	// ErrAborted refuses the result of a run that was aborted.
	ErrAborted = errors.New("the run was aborted")
	// ErrContended is a Busy fault: other writers kept a change from being made.
	// Nothing was changed. Another try may succeed.
	ErrContended = fault.Busyf("CONTENDED", "too many requests change the runs of this repository at the same time: try again")
)

func (s Store) table() table.Table { return table.Table{DB: s.DB, Name: s.Table} }

// reminders returns the lists of runs that are due.
func (s Store) reminders() queue.Reminders {
	return queue.Reminders{Table: s.table(), ID: "id", Keep: s.Limits.Keep}
}

// gone reports whether err says that a run does not exist, or is not visible.
func gone(err error) bool { return errors.Is(err, fault.ErrNotFound) }

// Names of the attributes that all items of this package share.
const (
	attrTTL = "ttl"
	attrID  = "id"
)

// sortKey is the sort key of a run's own item.
const sortKey = "RUN"

func runPartition(id run.ID) attr.Item { return attr.Item{"pk": attr.String("RUN#" + string(id))} }

// Key returns the key of a run's own item, for packages that keep more in the same
// partition: their items are removed with the run.
func Key(id run.ID) attr.Item { return in(runPartition(id), sortKey) }

// in returns the key of an item in a partition.
func in(partition attr.Item, sort string) attr.Item {
	return attr.Item{"pk": partition["pk"], "sk": attr.String(sort)}
}

// lane is the partition of what is decided about a repository's runs.
func lane(r vcs.Repository) attr.Item {
	return attr.Item{"pk": attr.String(fmt.Sprintf("REPO#%s#%s", r.Installation.VCS, r.ID))}
}

// history is the partition that names all runs of a repository.
func history(r vcs.Repository) attr.Item {
	return attr.Item{"pk": attr.String(fmt.Sprintf("RUNS#%s#%s", r.Installation.VCS, r.ID))}
}

// repositoriesWithRuns is the partition that names the repositories of an installation
// that have runs.
func repositoriesWithRuns(of vcs.Installation) attr.Item {
	return attr.Item{"pk": attr.String(fmt.Sprintf("RUNREPOS#%s#%s", of.VCS, of.ID))}
}

func listedKey(r vcs.Repository) attr.Item {
	return in(repositoriesWithRuns(r.Installation), string(r.ID))
}

// sortableSeq writes a place in the order of runs so that texts sort as the numbers
// do.
func sortableSeq(seq int64) string { return fmt.Sprintf("%016d", seq) }

// millis reads an attribute of Unix milliseconds. An absent one is the zero time.
func millis(r *attr.Reader, name string) time.Time {
	if !r.Has(name) {
		return time.Time{}
	}
	return time.UnixMilli(r.Int(name)).UTC()
}

// setText, setBytes, setInt and setMillis set an attribute unless its value is zero.
func setText(item attr.Item, name, value string) {
	if value != "" {
		item[name] = attr.String(value)
	}
}

func setBytes(item attr.Item, name string, value []byte) {
	if len(value) > 0 {
		item[name] = attr.Bytes(value)
	}
}

func setInt(item attr.Item, name string, value int64) {
	if value != 0 {
		item[name] = attr.Int(value)
	}
}

func setMillis(item attr.Item, name string, at time.Time) {
	if !at.IsZero() {
		item[name] = attr.Int(at.UnixMilli())
	}
}
