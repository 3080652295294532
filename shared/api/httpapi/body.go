package httpapi

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"unicode/utf8"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/jsonobject"
	"github.com/opsplane/opsplane/shared/kv/canonical"
)

// Body reads the members of a JSON object by their exact names. (A struct would
// also accept NAME for name.) It keeps the fault of the first member that it cannot
// read, and Err returns that fault, so that a decoder checks once. If a decoder
// reads a member that the request's route does not declare, Body panics, because
// that is an error in the program.
type Body struct {
	members map[string]json.RawMessage
	// path stands before a member's name in declarations and in error texts. It is
	// "get." for the object that is the member "get".
	path string
	in   *received // nil: the request passed no route
	read map[string]struct{}
	// first is shared by a body and the objects inside it.
	first *firstFault
}

// firstFault is the fault of the first member that could not be read.
type firstFault struct{ err error }

// jsonTypes are the media types that are read as JSON. Each may have parameters,
// such as a charset.
var jsonTypes = []string{
	"application/json", "application/x-javascript", "text/javascript", "text/x-javascript", "text/x-json",
}

// NewBody reads the body of r. The body must be valid UTF-8 and hold one JSON
// object with nothing behind it. Its members must be those that the request's route
// declares, each once. null is read as an object without members. The number of
// bytes is not limited here: Lambda limits a request to 6 MB ("Lambda quotas", AWS
// documentation).
func NewBody(r *http.Request) *Body {
	b := &Body{first: &firstFault{}, in: receivedBy(r)}
	text, err := jsonBody(r)
	if err == nil && b.in != nil {
		err = checkMembers(text, b.in.input.Members, "")
	}
	b.first.err = err
	if err == nil {
		b.fill(text)
		if b.in != nil {
			b.in.bodies = append(b.in.bodies, b)
		}
	}
	return b
}

// fill takes the members from the text of an object.
func (b *Body) fill(text []byte) {
	b.members, b.read = map[string]json.RawMessage{}, map[string]struct{}{}
	for name, value := range jsonobject.Members(text) {
		b.members[name] = value
	}
}

// IgnoreNull makes members that are null count as absent, and returns b.
func (b *Body) IgnoreNull() *Body {
	maps.DeleteFunc(b.members, func(_ string, text json.RawMessage) bool { return string(text) == "null" })
	return b
}

// Err returns the Invalid fault of the first member that could not be read.
func (b *Body) Err() error { return b.first.err }

// Fail keeps a fault that names the member, unless there is an earlier one. must
// says what the member must be, or what to do: "must be true or false".
func (b *Body) Fail(name, must string) {
	if b.first.err != nil {
		return
	}
	b.fail(fault.Invalidf("INVALID_BODY", "member %q %s", b.path+name, must))
}

func (b *Body) fail(err error) {
	if b.first.err == nil {
		b.first.err = err
	}
}

// Names returns the names of the members that were sent, sorted.
func (b *Body) Names() []string { return slices.Sorted(maps.Keys(b.members)) }

// Has reports whether the member was sent.
func (b *Body) Has(name string) bool {
	_, ok := b.get(name)
	return ok
}

// Require fails if a member is missing. must says what the member must be.
func (b *Body) Require(name, must string) {
	if !b.Has(name) {
		b.Fail(name, "is required; it "+must)
	}
}

// get returns the text of a member, and records that the decoder read it.
func (b *Body) get(name string) (json.RawMessage, bool) {
	if b.in != nil && !slices.Contains(b.in.input.Members, b.path+name) {
		panic("member " + b.path + name + " is read, and the route does not declare it")
	}
	text, ok := b.members[name]
	if ok {
		b.read[name] = struct{}{}
	}
	return text, ok
}

// unread returns the first member that was sent and that the decoder did not read,
// with its path. It returns an empty string if there is none.
func (b *Body) unread() string {
	for _, name := range b.Names() {
		if _, ok := b.read[name]; !ok {
			return b.path + name
		}
	}
	return ""
}

// jsonBody returns the text of a body that is a JSON object, or null.
func jsonBody(r *http.Request) ([]byte, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || !slices.Contains(jsonTypes, media) {
		return nil, fault.Invalidf("INVALID_CONTENT_TYPE", "send the body with the header Content-Type: application/json")
	}
	text, err := readBody(r)
	if err != nil {
		return nil, err
	}
	if len(text) == 0 {
		return nil, fault.Invalidf("INVALID_BODY", "the body is empty; send a JSON object")
	}
	if !utf8.Valid(text) {
		return nil, fault.Invalidf("INVALID_BODY", "the body is not valid UTF-8; send JSON in UTF-8")
	}
	if !json.Valid(text) {
		return nil, syntaxFault(text)
	}
	if !jsonobject.IsObject(text) && !isNull(text) {
		return nil, fault.Invalidf("INVALID_BODY", "the body must be a JSON object; send one in braces")
	}
	return text, nil
}

func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fault.Invalidf("INVALID_BODY", "the body could not be read; send the request again")
	}
	return body, nil
}

// maxNesting is the deepest nesting of arrays and objects that encoding/json reads.
const maxNesting = 10000

// syntaxFault returns the fault for a text that is not valid JSON.
func syntaxFault(text []byte) error {
	var (
		ignored json.RawMessage
		syntax  *json.SyntaxError
	)
	if !errors.As(json.Unmarshal(text, &ignored), &syntax) {
		return fault.Invalidf("INVALID_BODY", "the body is not JSON")
	}
	if jsonobject.Depth(text[:min(int(syntax.Offset), len(text))]) > maxNesting {
		return fault.Invalidf("JSON_TOO_DEEP", "arrays and objects may be nested %d deep in a value; this one is more than %d deep at byte %d",
			canonical.MaxDepth, maxNesting, syntax.Offset)
	}
	return fault.Invalidf("INVALID_BODY", "the body is not JSON: error at byte %d", syntax.Offset)
}
