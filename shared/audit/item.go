package audit

import (
	"cmp"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/erasure"
)

// Change is one change of an item, as an Owner sees it.
type Change struct {
	// PK and SK are the item's key. The bytes of a binary SK are a text here.
	PK, SK string
	// Before and After are the item before and after the change. An item that did
	// not exist, or no longer exists, is empty.
	Before, After Image
}

func changeOf(change events.DynamoDBEventRecord) Change {
	return Change{
		PK: change.Change.Keys["pk"].String(), SK: text(change.Change.Keys["sk"]),
		Before: Image(change.Change.OldImage), After: Image(change.Change.NewImage),
	}
}

// Now returns the item after the change. If the change removed the item, Now
// returns the item as it was.
func (c Change) Now() Image {
	if len(c.After) == 0 {
		return c.Before
	}
	return c.After
}

// Gains reports whether the change adds an attribute.
func (c Change) Gains(name string) bool { return c.After.Has(name) && !c.Before.Has(name) }

// Verb names what happened to the item as a whole: "create", "remove", "erase" or
// "change". An erasure is recorded when it marks the item, before it removes it.
func (c Change) Verb() string {
	switch {
	case len(c.Before) == 0:
		return "create"
	case len(c.After) == 0:
		return "remove"
	case c.erases():
		return "erase"
	}
	return "change"
}

// erases reports whether a change marks an item that will then be removed.
func (c Change) erases() bool { return c.Gains(erasure.Attr) }

// Replaces reports whether a change replaces a sealed secret. version and sealed
// are the attributes that hold the secret's version and its sealed text. The
// version stays the same when the server seals the secret again with a newer secret
// value, and when a worker takes a lease. An erased secret counts as replaced.
func (c Change) Replaces(version, sealed string) bool {
	if c.erases() {
		return true
	}
	if c.Before.Has(version) && c.After.Has(version) {
		return c.Before.Text(version) != c.After.Text(version)
	}
	return c.Before.Text(sealed) != c.After.Text(sealed)
}

// Record returns a record of the change with its author. A request that removed an
// item is not known, because nothing is left to name it.
func (c Change) Record(action, subject string) Record {
	r := Record{Action: action, Actor: Actor{ID: Unknown}, Subject: subject}
	i := c.After
	if !i.Has(change.AttrRequest) {
		return r
	}
	if ms, err := i[change.AttrAt].Integer(); err == nil {
		r.RequestedAt = time.UnixMilli(ms).UTC()
	}
	r.Actor = Actor{
		ID: cmp.Or(i.Text(change.AttrPrincipal), Unknown), Credential: i.Text(change.AttrCredential),
		Source: i.Text(change.AttrSource), Request: i.Text(change.AttrRequest),
	}
	return r
}

// Shown returns a record that shows attributes under their own names. It returns
// false if the change changes none of them and the item is not new, gone or erased.
func (c Change) Shown(action, subject string, names ...string) (Record, bool) {
	before, after, differ := c.differ(names)
	if whole := c.Verb() != "change"; !differ && !whole {
		return Record{}, false
	}
	r := c.Record(action, subject)
	r.Before, r.After = before, after
	return r, true
}

// Image is an item as the stream shows it. It is empty if there is none.
type Image map[string]events.DynamoDBAttributeValue

// Has reports whether the item has an attribute.
func (i Image) Has(name string) bool { _, ok := i[name]; return ok }

// Text returns the value of a string, number, binary or boolean attribute as text.
// It is empty if there is none. A boolean is "true" or "false".
func (i Image) Text(name string) string {
	if v, ok := i[name]; ok { // the zero attribute has the type binary
		return text(v)
	}
	return ""
}

// ShowAs returns attributes in a form that JSON can show. names has the name of the
// attribute for each shown name. Attributes that the item lacks are left out.
// Binary values are never shown.
func (i Image) ShowAs(names map[string]string) map[string]any {
	shown := map[string]any{}
	for name, attribute := range names {
		if v, ok := i[attribute]; ok {
			shown[name] = plain(v)
		}
	}
	return shown
}

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
