// Package canonical turns a JSON text into the one form in which the key-value
// store keeps it, the form that PostgreSQL's jsonb gives the same text: object
// members without duplicates (the last wins) and ordered by the length of
// their name, then by its bytes; numbers as exact decimals without an
// exponent; strings with no escape that they do not need; no white space.
//
// Its invariant: equal JSON values have equal texts as far as jsonb calls them
// equal in writing (1.50 and 1.5 stay apart), and the canonical form of a
// canonical text is that text.
package canonical

import (
	"github.com/opsplane/opsplane/shared/api/fault"
)

// Limits of a value. Each is named by the fault that refuses what is beyond.
const (
	// MaxDepth is how deep arrays and objects may be nested. Ordering copies
	// a member once per object around it, so depth bounds the work per byte.
	MaxDepth = 256
	// MaxDigits is how many digits a number may have once its exponent is
	// written out: 1e999 is the largest power of ten.
	MaxDigits = 1000
	// MaxText is the longest canonical text, in bytes: what one response of a
	// Lambda function can carry at the very most. It stops a short text of
	// many exponents from growing without end.
	MaxText = 6 << 20
)

// Value is a JSON value in canonical form. The zero Value is none; make one
// with Parse.
type Value struct {
	// Text is the canonical JSON text in UTF-8.
	Text []byte
	// Size is what the store shows as the size of the value: the number of
	// characters (code points) that the text has when a space follows every
	// ':' and ',' between members and elements, as PostgreSQL prints jsonb.
	Size int
}

// Parse reads exactly one JSON value, with white space around it if need be.
// It answers an Invalid fault where text is no JSON or breaks a limit, and a
// TooLarge fault where the canonical text would be longer than MaxText. The
// value does not share memory with text.
func Parse(text []byte) (Value, error) {
	p := parser{in: text, out: make([]byte, 0, min(len(text), MaxText))}
	p.space()
	if err := p.value(0); err != nil {
		return Value{}, err
	}
	p.space()
	if p.at < len(p.in) {
		return Value{}, p.syntax("nothing may follow the value")
	}
	if len(p.out) > MaxText {
		return Value{}, tooLarge()
	}
	return Value{Text: p.out, Size: size(p.out)}, nil
}

// size counts the characters of a canonical text as PostgreSQL prints it.
func size(text []byte) int {
	n, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c >= 0x80 && c < 0xC0:
			continue // not the first byte of its character
		case c == '"':
			inString = !inString
		case inString && c == '\\':
			i++
			n++
		case !inString && (c == ':' || c == ','):
			n++
		}
		n++
	}
	return n
}

// EscapedLen is how many bytes the text takes inside a JSON string as
// encoding/json writes one without HTML escapes, its quotes not counted. A
// Lambda function hands its response to the gateway inside such a string, and
// the limit on that is a limit on what can be read back.
func (v Value) EscapedLen() int { return EscapedLen(v.Text) }

// EscapedLen is Value.EscapedLen for any valid UTF-8 text.
func EscapedLen(text []byte) int {
	n := len(text)
	for i, c := range text {
		switch {
		case c == '"' || c == '\\':
			n++
		case c < 0x20:
			n += controlLen(c) - 1
		case c == 0xE2 && i+2 < len(text) && text[i+1] == 0x80 && text[i+2]&^1 == 0xA8:
			n += len(`\u2028`) - 3 // the two line separators are always escaped
		}
	}
	return n
}

// controlLen is how many bytes encoding/json writes for a control character.
func controlLen(c byte) int {
	switch c {
	case '\b', '\f', '\n', '\r', '\t':
		return 2
	}
	return len(`\u0000`)
}

func tooLarge() error {
	return fault.TooLargef("VALUE_TOO_LARGE",
		"the value takes more than %d bytes with its numbers written out; split it over several idx of the key", MaxText)
}
