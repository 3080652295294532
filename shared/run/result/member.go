package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/opsplane/opsplane/shared/api/jsonobject"
)

// problem says what is wrong with a member. Each caller puts the place of the
// member in front, so that a body without problems pays for no path.
type problem struct{ member, says string }

func (p *problem) Error() string { return p.member + " " + p.says }

func problemf(member, format string, args ...any) *problem {
	if member != "" {
		member = "." + member
	}
	return &problem{member, fmt.Sprintf(format, args...)}
}

// in puts the name of the member in front of a problem inside it.
func in(member string, err error) error { return under("."+member, err) }

// at puts the index of the element in front of a problem inside it.
func at(n int, err error) error { return under("["+strconv.Itoa(n)+"]", err) }

func under(place string, err error) error {
	p := asProblem(err)
	return &problem{place + p.member, p.says}
}

// asProblem returns the problem that err is. Every error of this package is one.
func asProblem(err error) *problem {
	var p *problem
	if !errors.As(err, &p) {
		return &problem{"", err.Error()}
	}
	return p
}

// picked are values of members. It is an array, so that a body of many steps does
// not allocate one for each.
type picked [10]json.RawMessage

// pick returns the values of the members of an object with these names, in the
// order of the names; nil for a member that is absent. A member that is there twice
// is a problem, because two readers could understand it in two ways.
func pick(object json.RawMessage, names ...string) (values picked, err error) {
	if kind(object) != "an object" {
		return values, problemf("", "must be an object, but it is %s", kind(object))
	}
	for name, value := range jsonobject.Members(object) {
		n := slices.Index(names, name)
		if n < 0 {
			continue
		}
		if values[n] != nil {
			return values, problemf(name, "is there twice")
		}
		values[n] = value
	}
	return values, nil
}

// kind returns the kind of a valid JSON value with its article.
func kind(value json.RawMessage) string {
	for _, c := range value {
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		case '{':
			return "an object"
		case '[':
			return "an array"
		case '"':
			return "a string"
		case 't', 'f':
			return "a boolean"
		case 'n':
			return "null"
		}
		return "a number"
	}
	return "absent"
}

// isNull reports whether a member is absent or null.
func isNull(value json.RawMessage) bool { return value == nil || kind(value) == "null" }

// decodeText reads a string. NUL characters become visible (see writer).
func decodeText(value json.RawMessage) (string, error) {
	if kind(value) != "a string" {
		return "", problemf("", "must be a string, but it is %s", kind(value))
	}
	var text string
	_ = json.Unmarshal(value, &text) // valid, as the whole body is
	return strings.ReplaceAll(text, "\x00", "␀"), nil
}

// decodeTruth reads a boolean.
func decodeTruth(value json.RawMessage) (bool, error) {
	if kind(value) != "a boolean" {
		return false, problemf("", "must be a boolean, but it is %s", kind(value))
	}
	return strings.TrimSpace(string(value)) == "true", nil
}

// message is the text that explains a failure.
func message(text string) string {
	if text = strings.TrimSpace(text); text == "" {
		return "no reason was given"
	}
	return strings.ToValidUTF8(text[max(0, len(text)-MaxMessage):], "")
}
