package vcsevent

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
)

// member is a member of a payload. It is read as a T if it is a T. A member of
// another type does not make the payload wrong, because most events do not need the
// member. Code that needs it calls the checker, which then names the member and the
// type that it has.
type member[T any] struct {
	value T
	// there says that the payload has the member, also if it is null.
	there, null bool
	// wrong is the JSON type of a member that is not a T, such as "an array".
	// Otherwise it is empty.
	wrong string
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *member[T]) UnmarshalJSON(text []byte) error {
	*m = member[T]{there: true, null: bytes.Equal(text, []byte("null"))}
	var value T
	if err := json.Unmarshal(text, &value); err != nil {
		m.wrong = typeOf(text)
		return nil
	}
	m.value = value
	return nil
}

// has reports whether the member is a T.
func (m member[T]) has() bool { return m.there && !m.null && m.wrong == "" }

// wanted returns the JSON type that a T is read from.
func (m member[T]) wanted() string {
	switch reflect.TypeFor[T]().Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "a boolean"
	case reflect.Int64:
		return "a whole number"
	case reflect.Slice:
		return "an array"
	}
	return "an object"
}

// typeOf returns the type of a JSON value.
func typeOf(text []byte) string {
	switch text[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 't', 'f':
		return "a boolean"
	}
	return "a number"
}

// decode reads a body, which must be a JSON object. Its error is *Undecodable.
func decode[T any](body []byte) (T, error) {
	var p member[T]
	if err := json.Unmarshal(body, &p); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return p.value, undecodable("the body is not JSON: error at byte %d", syntax.Offset)
		}
		return p.value, undecodable("the body is not JSON")
	}
	if p.wrong != "" {
		return p.value, undecodable("the body is %s, not an object", p.wrong)
	}
	return p.value, nil
}
