package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/shared/change"
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

// Of makes the record of a change of a table; false for what is none: the
// tables' own housekeeping, what nobody sees, and what changes nothing that is
// shown.
func Of(table Table, change events.DynamoDBEventRecord) (Record, bool) {
	// What expired was over before. What a removal says, its tombstone has said.
	if change.UserIdentity != nil && change.UserIdentity.PrincipalID == "dynamodb.amazonaws.com" {
		return Record{}, false
	}
	c := changed{
		pk: change.Change.Keys["pk"].String(), sk: change.Change.Keys["sk"],
		before: image(change.Change.OldImage), after: image(change.Change.NewImage),
		at: change.Change.ApproximateCreationDateTime.Time,
	}
	r, ok := c.record(table)
	if !ok {
		return Record{}, false
	}
	r.ID = id(table, change)
	r.At, r.Actor = c.author()
	if strings.HasPrefix(r.Action, "task.") && len(c.before) > 0 {
		// Workers go on with a task in the name of who asked for it, by requests of their own.
		r.At, r.Actor.Request = c.told(), ""
	}
	return r, true
}

// id is the change's own: a table's sequence numbers rise with each change of an
// item, and are repeated when the change is told again.
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
	at            time.Time
}

// image is an item as the stream has it; empty if there is none.
type image map[string]events.DynamoDBAttributeValue

// text is the value of an attribute; empty if there is none.
func (i image) text(name string) string {
	if v, ok := i[name]; ok { // the zero attribute takes itself for a binary one
		return text(v)
	}
	return ""
}

func (i image) has(name string) bool { _, ok := i[name]; return ok }

// text is the value of a string, number or binary attribute.
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

// author is who made the change and when. Who removed an item no item tells.
func (c changed) author() (time.Time, Actor) {
	i := c.after
	if !i.has(change.AttrRequest) {
		return c.told(), Actor{ID: Unknown}
	}
	at := c.told()
	if ms, err := i[change.AttrAt].Integer(); err == nil {
		at = time.UnixMilli(ms).UTC()
	}
	return at, Actor{
		ID: i.text(change.AttrPrincipal), Credential: i.text(change.AttrCredential),
		Source: i.text(change.AttrSource), Request: i.text(change.AttrRequest),
	}
}

// told is when the table took the change, to the second.
func (c changed) told() time.Time { return c.at.UTC().Truncate(time.Millisecond) }

// differ answers those of the shown attributes that a change changes, as they
// were and as they are; false if it changes none.
func (c changed) differ(shown ...string) (before, after map[string]any, ok bool) {
	before, after = c.before.show(shown), c.after.show(shown)
	for name := range maps.All(before) {
		if reflect.DeepEqual(before[name], after[name]) {
			delete(before, name)
			delete(after, name)
		}
	}
	return before, after, len(before)+len(after) > 0
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

// plain is a value as JSON has it. Binary values are never shown.
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
		return v.StringSet()
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
	}
	return "change"
}

// cut splits "PREFIX#rest" and answers the rest.
func cut(key, prefix string) (string, bool) { return strings.CutPrefix(key, prefix+"#") }
