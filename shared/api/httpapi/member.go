package httpapi

import (
	"encoding/json"
	"errors"
	"iter"
	"strconv"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/jsonobject"
	"github.com/opsplane/opsplane/shared/kv/canonical"
)

const (
	mustBeString  = "must be a string of valid characters"
	mustBeStrings = "must be a list of strings of valid characters"
)

// Bool reads a boolean. It returns def if the member is absent.
func (b *Body) Bool(name string, def bool) bool {
	text, ok := b.get(name)
	if !ok {
		return def
	}
	switch string(text) {
	case "true":
		return true
	case "false":
		return false
	}
	b.Fail(name, "must be true or false")
	return def
}

// OptionalInt reads a whole number from low to high, in any notation. It returns nil
// if the member is absent.
func (b *Body) OptionalInt(name string, low, high int) *int {
	text, ok := b.get(name)
	if !ok {
		return nil
	}
	n, ok := wholeNumber(text, low, high)
	if !ok {
		b.Fail(name, MustBeInt(low, high))
	}
	return &n
}

// String reads a string. The member is required.
func (b *Body) String(name string) string {
	b.Require(name, mustBeString)
	if text := b.OptionalString(name); text != nil {
		return *text
	}
	return ""
}

// OptionalString reads a string. It returns nil if the member is absent.
func (b *Body) OptionalString(name string) *string {
	raw, ok := b.get(name)
	if !ok {
		return nil
	}
	text, err := canonical.DecodeString(raw)
	if err != nil {
		b.Fail(name, mustBeString)
	}
	return &text
}

// ValidString reads a string that must meet a condition. It returns def if the member
// is absent. must says what the string must be if valid returns false for it.
func (b *Body) ValidString(name, def string, valid func(string) bool, must string) string {
	raw, ok := b.get(name)
	if !ok {
		return def
	}
	text, err := canonical.DecodeString(raw)
	if err != nil || !valid(text) {
		b.Fail(name, must)
	}
	return text
}

// Strings yields the elements of a list of strings, one by one: the caller limits how
// many it takes. It yields none if the member is absent, and stops at the first fault.
func (b *Body) Strings(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		raw, ok := b.get(name)
		if !ok {
			return
		}
		if !jsonobject.IsArray(raw) {
			b.Fail(name, mustBeStrings)
			return
		}
		for element := range jsonobject.Elements(raw) {
			text, err := canonical.DecodeString(element)
			if err != nil {
				b.Fail(name, mustBeStrings)
				return
			}
			if !yield(text) {
				return
			}
		}
	}
}

// Value reads a member that may be any JSON value. The member is required.
func (b *Body) Value(name string) canonical.Value {
	b.Require(name, "may be any JSON value, also null")
	text, ok := b.get(name)
	if !ok || b.Err() != nil {
		return canonical.Value{}
	}
	v, err := canonical.Parse(text)
	if err != nil {
		b.fail(err)
	}
	return v
}

// Capabilities reads a list of at most access.MaxCapabilities capabilities. It returns
// false if the member is absent.
func (b *Body) Capabilities(name string) ([]access.Capability, bool) {
	text, ok := b.get(name)
	if !ok {
		return nil, false
	}
	// The list is counted before an element is decoded: a body of some megabytes can
	// hold a million elements.
	if err := access.Bounded("member "+strconv.Quote(b.path+name), jsonobject.Len(text)); err != nil {
		b.fail(err)
		return nil, true
	}
	var list []access.Capability
	err := json.Unmarshal(text, &list)
	var f *fault.Error
	switch {
	case errors.As(err, &f):
		b.fail(f)
	case err != nil:
		b.Fail(name, "must be a list of capabilities")
	}
	return list, true
}

// CapabilitySet does the same as Capabilities. It returns nil if the member is absent
// or null.
func (b *Body) CapabilitySet(name string) *access.Set {
	if text, ok := b.get(name); !ok || string(text) == "null" {
		return nil
	}
	list, _ := b.Capabilities(name)
	caps := access.Set(list)
	return &caps
}

// Object reads a member that is an object. must says what the object must be. The
// object keeps its first fault in b.
func (b *Body) Object(name, must string) *Body {
	text, _ := b.get(name)
	object := b.inside(b.path+name+".", name, text, must)
	if b.in != nil {
		b.in.bodies = append(b.in.bodies, object)
	}
	return object
}

// ObjectList is what a member that is a list of objects may hold.
type ObjectList struct {
	// Must says what the list must be, and Element what one of its elements must be.
	Must, Element string
	// Max is the maximum number of elements.
	Max int
	// TooMany is the id of the fault for a list with more elements.
	TooMany string
}

// Objects yields the elements of a required list of objects, one by one. It counts
// them before it decodes the first one. It stops at the first fault, also at one that
// the caller finds in an element. The elements keep their first fault in b.
func (b *Body) Objects(name string, list ObjectList) iter.Seq[*Body] {
	return func(yield func(*Body) bool) {
		text, ok := b.get(name)
		if !ok || !jsonobject.IsArray(text) {
			b.Fail(name, list.Must)
			return
		}
		if n := jsonobject.Len(text); n > list.Max {
			b.fail(fault.Invalidf(list.TooMany, "member %q has %d elements; at most %d are allowed", b.path+name, n, list.Max))
			return
		}
		path := b.path + name + "."
		for each := range jsonobject.Elements(text) {
			object := b.inside(path, name, each, list.Element)
			if b.Err() != nil {
				return
			}
			more := yield(object)
			// The element is not kept, so this is the time to see what was not read.
			if skipped := object.unread(); skipped != "" && b.in != nil && b.in.skipped == "" {
				b.in.skipped = skipped
			}
			if !more {
				return
			}
		}
	}
}

// inside returns the object that stands in a member. Its own members have paths that
// begin with path.
func (b *Body) inside(path, name string, text json.RawMessage, must string) *Body {
	object := &Body{path: path, in: b.in, first: b.first}
	if !jsonobject.IsObject(text) {
		b.Fail(name, must)
		text = nil
	}
	object.fill(text)
	return object
}
