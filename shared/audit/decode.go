package audit

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/erasure"
)

// Table is a table whose changes are recorded.
type Table string

// The tables, by their names in the template.
const (
	Tokens     Table = "TokensTable"
	Operations Table = "OperationsTable"
	Sessions   Table = "SessionsTable"
	KV         Table = "KvTable"
	VCS        Table = "VcsTable"
)

// Of makes the record of a change of a table. It returns false for a change that
// has no record: the table's own housekeeping, changes that nobody can see, and
// changes of nothing that is shown.
func Of(table Table, change events.DynamoDBEventRecord) (Record, bool) {
	if Expired(change) || erased(change) {
		return Record{}, false // the item had ended before, and its tombstone has recorded that
	}
	c := changed{
		pk: change.Change.Keys["pk"].String(), sk: change.Change.Keys["sk"],
		before: image(change.Change.OldImage), after: image(change.Change.NewImage),
	}
	r, ok := c.record(table)
	if !ok {
		return Record{}, false
	}
	r = r.placed(table, change)
	r.RequestedAt, r.Actor = c.author()
	if r.Kind() == "task" && len(c.before) > 0 {
		// Workers continue a task in the name of the principal that started it,
		// with requests of their own.
		r.RequestedAt, r.Actor.Request = time.Time{}, ""
	}
	return r.bounded(), true
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

// Unreadable returns the record of a change from which Of could not make one. The
// trail must at least show that the change was made.
func Unreadable(table Table, change events.DynamoDBEventRecord) Record {
	r := Record{Action: "unreadable.change", Actor: Actor{ID: Unknown}, Subject: string(table), Truncated: true}
	return r.placed(table, change)
}

// placed gives a record its id and its place, both taken from the change.
func (r Record) placed(table Table, change events.DynamoDBEventRecord) Record {
	r.ID, r.sequence = id(table, change), change.Change.SequenceNumber
	r.At = change.Change.ApproximateCreationDateTime.UTC().Truncate(time.Millisecond)
	return r
}

// id returns the id of the change itself. A table's sequence numbers rise with each
// change of an item, and the stream repeats the number if it delivers the change
// again.
func id(table Table, change events.DynamoDBEventRecord) string {
	sk := change.Change.Keys["sk"]
	name := string(table) + "\x00" + change.Change.Keys["pk"].String() + "\x00" + text(sk) + "\x00" + change.Change.SequenceNumber
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16])
}

// changed is an item before and after a change.
type changed struct {
	pk            string
	sk            events.DynamoDBAttributeValue
	before, after image
}

// image is an item as the stream shows it. It is empty if there is none.
type image map[string]events.DynamoDBAttributeValue

// text returns the value of an attribute. It is empty if there is none.
func (i image) text(name string) string {
	if v, ok := i[name]; ok { // the zero attribute has the type binary
		return text(v)
	}
	return ""
}

func (i image) has(name string) bool { _, ok := i[name]; return ok }

// text returns the value of a string, number, binary or boolean attribute.
func text(v events.DynamoDBAttributeValue) string {
	switch v.DataType() {
	case events.DataTypeString:
		return v.String()
	case events.DataTypeNumber:
		return v.Number()
	case events.DataTypeBinary:
		return string(v.Binary())
	case events.DataTypeBoolean:
		if v.Boolean() {
			return "true"
		}
		return "false"
	}
	return ""
}

// author returns who made the change and when. If an item was removed, nothing says
// who removed it.
func (c changed) author() (at time.Time, who Actor) {
	i := c.after
	if !i.has(change.AttrRequest) {
		return time.Time{}, Actor{ID: Unknown}
	}
	if ms, err := i[change.AttrAt].Integer(); err == nil {
		at = time.UnixMilli(ms).UTC()
	}
	return at, Actor{
		ID: cmp.Or(i.text(change.AttrPrincipal), Unknown), Credential: i.text(change.AttrCredential),
		Source: i.text(change.AttrSource), Request: i.text(change.AttrRequest),
	}
}

// differ returns the shown attributes that a change changes, as they were before
// and as they are after. It returns false if the change changes none of them. For a
// set it returns only the members that were removed and those that were added.
func (c changed) differ(shown ...string) (before, after map[string]any, ok bool) {
	before, after = c.before.show(shown), c.after.show(shown)
	for _, name := range shown {
		was, isSet := before[name].([]string)
		is, stays := after[name].([]string)
		switch {
		case isSet && stays:
			without(before, name, was, is)
			without(after, name, is, was)
		case before != nil && reflect.DeepEqual(before[name], after[name]):
			delete(before, name)
			delete(after, name)
		}
	}
	return before, after, len(before)+len(after) > 0
}

// without keeps only the members of a set that the other set lacks. If no member is
// left, it removes the attribute.
func without(shown map[string]any, name string, set, other []string) {
	rest := slices.DeleteFunc(slices.Clone(set), func(s string) bool {
		_, both := slices.BinarySearch(other, s)
		return both
	})
	if shown[name] = rest; len(rest) == 0 {
		delete(shown, name)
	}
}

func (i image) show(names []string) map[string]any {
	if len(i) == 0 {
		return nil
	}
	shown := map[string]any{}
	for _, name := range names {
		if v, ok := i[name]; ok {
			shown[name] = plain(v)
		}
	}
	return shown
}

// plain returns a value in a form that JSON can show. Binary values are never
// shown.
func plain(v events.DynamoDBAttributeValue) any {
	switch v.DataType() {
	case events.DataTypeNumber:
		if n, err := v.Integer(); err == nil {
			return n
		}
		return v.Number()
	case events.DataTypeBoolean:
		return v.Boolean()
	case events.DataTypeStringSet:
		return slices.Sorted(slices.Values(v.StringSet())) // a set has no order
	case events.DataTypeMap:
		m := map[string]any{}
		for name, value := range v.Map() {
			m[name] = plain(value)
		}
		return m
	case events.DataTypeString:
		return v.String()
	}
	return nil
}

// verb names what happened to an item as a whole.
func (c changed) verb() string {
	switch {
	case len(c.before) == 0:
		return "create"
	case len(c.after) == 0:
		return "remove"
	case c.erases():
		return "erase"
	}
	return "change"
}

// erases reports whether a change marks an item that will then be removed.
func (c changed) erases() bool { return c.after.has(erasure.Attr) && !c.before.has(erasure.Attr) }

// cut splits "PREFIX#rest" and returns the rest.
func cut(key, prefix string) (string, bool) { return strings.CutPrefix(key, prefix+"#") }
