package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv/canonical"
)

// body reads the members of a JSON object by their exact names. (A struct would
// also accept DATA for data.) err keeps the first failure, so that a decoder checks
// only once.
type body struct {
	members map[string]json.RawMessage
	err     error
	// path comes before a member's name in error texts. It is "get." if the object
	// is the member "get" of the body.
	path string
}

func decodeBody(r *http.Request) *body {
	b := &body{}
	b.err = httpapi.DecodeBody(r, &b.members)
	return b
}

func (b *body) fail(name, must string) {
	if b.err == nil {
		b.err = fault.Invalidf("INVALID_BODY", "member %q %s", b.path+name, must)
	}
}

// value reads a required member that may be any JSON value.
func (b *body) value(name string) canonical.Value {
	text, ok := b.members[name]
	if !ok {
		b.fail(name, "is required; it may be any JSON value, also null")
	}
	if b.err != nil {
		return canonical.Value{}
	}
	v, err := canonical.Parse(text)
	b.err = err
	return v
}

// bool reads an optional boolean.
func (b *body) bool(name string, def bool) bool {
	text, ok := b.members[name]
	if !ok {
		return def
	}
	switch string(text) {
	case "true":
		return true
	case "false":
		return false
	}
	b.fail(name, "must be true or false")
	return def
}

// int reads an optional whole number from low to high.
func (b *body) int(name string, low, high int) *int {
	text, ok := b.members[name]
	if !ok {
		return nil
	}
	n, ok := readInt(text, low, high)
	if !ok {
		b.fail(name, mustBeInt(low, high))
	}
	return &n
}

// string reads an optional text.
func (b *body) string(name string) *string {
	raw, ok := b.members[name]
	if !ok {
		return nil
	}
	text, err := canonical.DecodeString(raw)
	if err != nil {
		b.fail(name, "must be a string of valid characters")
	}
	return &text
}

// strings reads an optional list of texts.
func (b *body) strings(name string) []string {
	raw, ok := b.members[name]
	if !ok {
		return nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil || list == nil {
		b.fail(name, "must be a list of strings")
		return nil
	}
	texts := make([]string, len(list))
	for i, raw := range list {
		text, err := canonical.DecodeString(raw)
		if err != nil {
			b.fail(name, "must be a list of strings of valid characters")
		}
		texts[i] = text
	}
	return texts
}

// failure implements parameters.
func (b *body) failure() error { return b.err }

// caps reads an optional list of capabilities. null means that there is none.
func (b *body) caps(name string) *access.Set {
	text, ok := b.members[name]
	if !ok || string(text) == "null" {
		return nil
	}
	var caps access.Set
	err := json.Unmarshal(text, &caps)
	var f *fault.Error
	switch {
	case b.err != nil:
	case errors.As(err, &f):
		b.err = f
	case err != nil:
		b.fail(name, "must be a list of capabilities")
	default:
		b.err = access.Bounded("member "+strconv.Quote(b.path+name), caps)
	}
	return &caps
}
