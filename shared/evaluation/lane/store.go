package lane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/background/queue"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Store keeps lanes in EvaluationTable. It is safe for concurrent use.
type Store struct {
	DB *dynamodb.Client
	// Table is the physical name of EvaluationTable.
	Table string
	// Objects keep large decisions. Only holders of lanes and removals need them.
	Objects Objects
}

// Objects keep large bodies outside the table. object.Bucket has the methods.
type Objects interface {
	// Put writes an object.
	Put(ctx context.Context, name string, body []byte) error
	// Get reads an object.
	Get(ctx context.Context, name string) ([]byte, error)
	// Remove removes objects whose names begin with a text, at most limit of them, and
	// reports whether there may be more.
	Remove(ctx context.Context, prefix string, limit int) (more bool, err error)
}

// Errors of the holder of a lane.
var (
	// ErrLost says that the lease is over, or that the decision does not exist any
	// more. The write has changed nothing.
	ErrLost = errors.New("another worker has the lane, or its repository was removed")
	// ErrChanged says that the request was made again meanwhile. The decision was not
	// stored: it may be about a state that is over.
	ErrChanged = errors.New("the request was made again while it was evaluated")
)

// Times.
const (
	// Lease is how long a worker has a lane. It is longer than an invocation of the
	// function, so the holder of a lease that is over is dead.
	Lease = 75 * time.Second
	// Keep is how long a request, a decision and the memory of what was decided stay.
	// The objects of decisions stay as long by the lifecycle of the bucket.
	Keep = 30 * 24 * time.Hour
	// wake is when the schedule looks at what the stream should have shown.
	wake = time.Minute
)

// Names of attributes that several kinds of items have.
const (
	attrInstallation = "installation" // the id
	attrTTL          = "ttl"
	attrDue          = "due"    // Unix milliseconds: the time of the item's reminder
	attrFailed       = "failed" // how many scheduled tries have failed
	attrHolder       = "holder"
	attrBody         = "body" // JSON, compressed
	attrVersion      = "version"
	attrCheck        = "check" // Unix milliseconds: the time of the repository's check
)

// Sort keys in the partition of a lane.
const (
	sortLease    = "LEASE"
	sortState    = "STATE"
	sortRequest  = "REQ#"
	sortDone     = "DONE#"
	sortDecision = "DECISION#"
	sortPull     = "PR#"
	sortMerged   = "MERGED#"
)

func (s Store) table() table.Table { return table.Table{DB: s.DB, Name: s.Table} }

// dueList is the partition of all reminders.
const dueList = "DUE"

func (s Store) reminders() queue.Reminders {
	return queue.Reminders{Table: s.table(), ID: "id", Keep: Keep}
}

// partition is that of a lane. An installation has lanes of its own: whoever can make
// deliveries of one installation cannot reach those of another, whatever repository these
// deliveries name.
func partition(r vcs.Repository) string {
	return fmt.Sprintf("LANE#%s#%s#%s", r.Installation.VCS, r.Installation.ID, r.ID)
}

func key(r vcs.Repository, sort string) attr.Item {
	return attr.Item{"pk": attr.String(partition(r)), "sk": attr.String(sort)}
}

// lanesOf is the partition that names the lanes of an installation.
func lanesOf(of vcs.Installation) string { return fmt.Sprintf("LANES#%s#%s", of.VCS, of.ID) }

// mine reports whether an item of a lane is of the repository's installation.
func mine(r vcs.Repository, item attr.Item) bool {
	return attr.Read(item).String(attrInstallation) == string(r.Installation.ID)
}

// all reads the items of a lane whose sort keys begin with a text and that are of the
// repository's installation.
func (s Store) all(ctx context.Context, r vcs.Repository, prefix string, names ...string) ([]attr.Item, error) {
	var list []attr.Item
	query := table.Query{Names: names, Key: []table.Condition{
		table.Equal("pk", attr.String(partition(r))), table.BeginsWith("sk", attr.String(prefix)),
	}}
	for page, err := range s.table().Pages(ctx, query) {
		if err != nil {
			return nil, fmt.Errorf("read lane of %s: %w", r, err)
		}
		for _, item := range page.Items {
			if mine(r, item) {
				list = append(list, item)
			}
		}
	}
	return list, nil
}

func millis(at time.Time) table.Value { return attr.Int(at.UnixMilli()) }

// readMillis reads an attribute of Unix milliseconds. An absent one is the zero time.
func readMillis(r *attr.Reader, name string) time.Time {
	if !r.Has(name) {
		return time.Time{}
	}
	return time.UnixMilli(r.Int(name)).UTC()
}
