package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv/canonical"
)

// body reads the members of a JSON object by their exact names. (A struct would
// also accept NAME as name.) A member that is null counts as absent. The error for
// the first member that cannot be read is kept in err, so that a decoder checks
// once.
type body struct {
	members map[string]json.RawMessage
	err     error
}

func decodeBody(r *http.Request) *body {
	b := &body{}
	b.err = httpapi.DecodeBody(r, &b.members)
	return b
}

// Whether a member is required.
const (
	required = true
	optional = false
)

func (b *body) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// member returns the text of a member. It returns false if there is none.
func (b *body) member(name string, must bool) ([]byte, bool) {
	text, ok := b.members[name]
	ok = ok && string(text) != "null"
	if !ok && must {
		b.fail(fault.Invalidf("INVALID_BODY", "member %s is missing", name))
	}
	return text, ok
}

// text reads a string of valid characters.
func (b *body) text(name string, must bool) string {
	raw, ok := b.member(name, must)
	if !ok {
		return ""
	}
	text, err := canonical.DecodeString(raw)
	if err != nil {
		b.fail(fault.Invalidf("INVALID_BODY", "member %q must be a string of valid characters", name))
	}
	return text
}

// time reads an optional time. It returns the zero time if there is none.
func (b *body) time(name string) time.Time {
	if _, ok := b.member(name, optional); !ok {
		return time.Time{}
	}
	text := b.text(name, optional)
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		b.fail(fault.Invalidf("INVALID_EXPIRY", "%s is not a time such as 2030-01-31T00:00:00Z", name))
	}
	return at
}

// capabilities reads a list of capabilities. The member is required.
func (b *body) capabilities(name string) []access.Capability {
	raw, ok := b.member(name, required)
	if !ok {
		return nil
	}
	var list []access.Capability
	err := json.Unmarshal(raw, &list)
	if f := new(fault.Error); errors.As(err, &f) {
		b.fail(f)
	} else if err != nil {
		b.fail(fault.Invalidf("INVALID_BODY", "member %q must be a list of capabilities", name))
	}
	return list
}
