package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/shared/storage/erasure"
)

// Owner makes the record of a change of one kind of item. It returns false for an
// item of another kind, and for a change that has no record: housekeeping, changes
// that nobody can see, and changes of nothing that is shown. Each Owner is in the
// package that owns the items, because only that package spells the names of their
// attributes.
type Owner func(Change) (Record, bool)

// Table is a table whose changes are recorded.
type Table string

// The tables, by their names in the template.
const (
	Tokens     Table = "TokensTable"
	Operations Table = "OperationsTable"
	Sessions   Table = "SessionsTable"
	KV         Table = "KvTable"
	VCS        Table = "VcsTable"
	Runs       Table = "RunsTable"
)

// Source makes records of the changes of one table.
type Source struct {
	// Table is the table.
	Table Table
	// Owners are asked one after the other, until one makes a record. An item of
	// which none makes one has no record.
	Owners []Owner
}

// Record makes the record of a change of the table. It returns false if the change
// has no record. It panics if the change does not have the form of one of a stream.
func (s Source) Record(change events.DynamoDBEventRecord) (Record, bool) {
	if Expired(change) || erased(change) {
		return Record{}, false // the item had ended before, and its tombstone has recorded that
	}
	c := changeOf(change)
	for _, owner := range s.Owners {
		if r, ok := owner(c); ok {
			return s.placed(r, change).bounded(), true
		}
	}
	return Record{}, false
}

// Unreadable returns the record of a change from which Record could not make one.
// The trail must at least show that the change was made.
func (s Source) Unreadable(change events.DynamoDBEventRecord) Record {
	return s.placed(Record{Action: "unreadable.change", Actor: Actor{ID: Unknown}, Subject: string(s.Table), Truncated: true}, change)
}

// placed gives a record its id and its place, both taken from the change.
func (s Source) placed(r Record, change events.DynamoDBEventRecord) Record {
	r.ID, r.sequence = s.id(change), change.Change.SequenceNumber
	r.At = change.Change.ApproximateCreationDateTime.UTC().Truncate(time.Millisecond)
	return r
}

// id returns the id of the change itself. A table's sequence numbers rise with each
// change of an item, and the stream repeats the number if it delivers the change
// again.
func (s Source) id(change events.DynamoDBEventRecord) string {
	keys := change.Change.Keys
	name := string(s.Table) + "\x00" + keys["pk"].String() + "\x00" + text(keys["sk"]) + "\x00" + change.Change.SequenceNumber
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16])
}

// Expired reports whether an item is gone because its time was over. Either the
// table removed it ("DynamoDB Streams and Time to Live", AWS documentation), or
// somebody else removed it after the table was allowed to.
func Expired(change events.DynamoDBEventRecord) bool {
	if change.Change.NewImage != nil {
		return false
	}
	if change.UserIdentity != nil && change.UserIdentity.PrincipalID == "dynamodb.amazonaws.com" {
		return true
	}
	ttl, ok := change.Change.OldImage["ttl"]
	if !ok || ttl.DataType() != events.DataTypeNumber {
		return false
	}
	end, err := ttl.Integer()
	return err == nil && end <= change.Change.ApproximateCreationDateTime.Unix()
}

// erased reports whether an item is gone that was marked before with the author of
// its removal (package erasure).
func erased(change events.DynamoDBEventRecord) bool {
	_, marked := change.Change.OldImage[erasure.Attr]
	return change.Change.NewImage == nil && marked
}
