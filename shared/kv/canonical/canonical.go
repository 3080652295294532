// Package canonical gives a JSON text the canonical form in which the key-value
// store keeps it. It is the form that PostgreSQL's jsonb gives the same text.
// Object members have no duplicates (the last one is kept). They are ordered by the
// length of their name, then by its bytes. Numbers are exact decimals without an
// exponent. Strings have no unnecessary escape. There is no white space.
//
// The invariants: Two JSON values have the same canonical text if and only if jsonb
// prints them in the same way (1.50 and 1.5 differ). The canonical form of a
// canonical text is that text.
package canonical

import (
	"github.com/opsplane/opsplane/shared/api/fault"
)

// Limits of a value. The fault that refuses a larger value names the limit.
const (
	// MaxDepth is the maximum nesting depth of arrays and objects. Ordering copies
	// a member once for each object around it, so the depth limits the work for
	// each byte.
	MaxDepth = 256
	// MaxDigits is the maximum number of digits of a number that is written without
	// an exponent. The largest power of ten is 1e999.
	MaxDigits = 1000
	// MaxText is the maximum length of a canonical text, in bytes. One response of
	// a Lambda function cannot carry more. Without this limit, a short text with
	// many exponents could grow without end.
	MaxText = 6 << 20
)

// Value is a JSON value in canonical form. The zero Value is not a JSON value; use
// Parse to make one.
type Value struct {
	// Text is the canonical JSON text in UTF-8.
	Text []byte
	// Size is the size that the store shows for the value: the number of characters
	// (code points) of the text with a space after every ':' and ',' between
	// members and elements. PostgreSQL prints jsonb in this way.
	Size int
}

// Parse reads exactly one JSON value, which may have white space around it. It
// returns an Invalid fault if text is not JSON or exceeds a limit, and a TooLarge
// fault if the canonical text would be longer than MaxText. The value does not
// share memory with text.
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

// EscapedLen returns how many bytes the text takes inside a JSON string, as
// encoding/json writes it without HTML escapes. The quotes around the string do not
// count. A Lambda function sends its response to the gateway inside such a string.
// So the limit of that response limits which values can be read back.
func (v Value) EscapedLen() int { return EscapedLen(v.Text) }

// EscapedLen does the same as Value.EscapedLen, for any valid UTF-8 text.
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

// controlLen returns how many bytes encoding/json writes for a control character.
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
