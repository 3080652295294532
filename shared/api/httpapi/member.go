package httpapi

import (
	"encoding/json"
	"errors"
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

// Text reads a string of a form. It returns def if the member is absent. must says
// what the string must be if valid returns false for it.
func (b *Body) Text(name, def string, valid func(string) bool, must string) string {
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

// All reads a list of strings. It returns nil if the member is absent.
func (b *Body) All(name string) []string {
	raw, ok := b.get(name)
	if !ok {
		return nil
	}
	if !jsonobject.IsArray(raw) {
		b.Fail(name, mustBeStrings)
		return nil
	}
	texts := []string{}
	for element := range jsonobject.Elements(raw) {
		text, err := canonical.DecodeString(element)
		if err != nil {
			b.Fail(name, mustBeStrings)
		}
		texts = append(texts, text)
	}
	return texts
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

// Capabilities reads a list of capabilities. It returns false if the member is
// absent.
func (b *Body) Capabilities(name string) ([]access.Capability, bool) {
	text, ok := b.get(name)
	if !ok {
		return nil, false
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

// CapabilitySet reads a list of at most access.MaxCapabilities capabilities. It
// returns nil if the member is absent or null.
func (b *Body) CapabilitySet(name string) *access.Set {
	if text, ok := b.get(name); !ok || string(text) == "null" {
		return nil
	}
	list, _ := b.Capabilities(name)
	if err := access.Bounded("member "+strconv.Quote(b.path+name), list); err != nil {
		b.fail(err)
	}
	caps := access.Set(list)
	return &caps
}

// Object reads a member that is an object. must says what the object must be. The
// object keeps its first fault in b.
func (b *Body) Object(name, must string) *Body {
	text, _ := b.get(name)
	return b.inside(name, text, must)
}

// Objects reads a required list of objects. must says what the list must be, and
// element what one of its elements must be.
func (b *Body) Objects(name, must, element string) []*Body {
	text, ok := b.get(name)
	if !ok || !jsonobject.IsArray(text) {
		b.Fail(name, must)
		return nil
	}
	var objects []*Body
	for each := range jsonobject.Elements(text) {
		objects = append(objects, b.inside(name, each, element))
	}
	return objects
}

// inside returns the object that stands in a member.
func (b *Body) inside(name string, text json.RawMessage, must string) *Body {
	object := &Body{path: b.path + name + ".", in: b.in, first: b.first}
	if !jsonobject.IsObject(text) {
		b.Fail(name, must)
		text = nil
	}
	object.fill(text)
	return object
}
