// Package jsonobject reads the members of a JSON object as they were written: in
// their order, with their exact names, and including a member that is there twice.
// Decoding into a struct accepts NAME as name, and uses the last of two members
// with one name. A request must not mean something other than what its sender reads
// in it.
package jsonobject

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// Members yields the name and the value of every member of an object, in the order
// of the text. The text must be valid JSON. A value that is not an object has no
// members.
func Members(text []byte) iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		at := space(text, 0)
		if at == len(text) || text[at] != '{' {
			return
		}
		for at = space(text, at+1); at < len(text) && text[at] == '"'; {
			end := stringEnd(text, at)
			name := decode(text[at:end])
			at = space(text, space(text, end)+1) // behind the colon
			end = valueEnd(text, at)
			if !yield(name, text[at:end]) {
				return
			}
			at = space(text, space(text, end)+1) // behind the comma, or the object's end
		}
	}
}

// Elements yields the elements of an array. The text must be valid JSON. A value
// that is not an array has no elements.
func Elements(text []byte) iter.Seq[json.RawMessage] {
	return func(yield func(json.RawMessage) bool) {
		at := space(text, 0)
		if at == len(text) || text[at] != '[' {
			return
		}
		for at = space(text, at+1); at < len(text) && text[at] != ']'; {
			end := valueEnd(text, at)
			if !yield(text[at:end]) {
				return
			}
			if at = space(text, end); at < len(text) && text[at] == ']' {
				return
			}
			at = space(text, at+1)
		}
	}
}

// Len returns the number of elements of an array. The text must be valid JSON. A value
// that is not an array has no elements.
func Len(text []byte) int {
	n := 0
	for range Elements(text) {
		n++
	}
	return n
}

// Depth returns how deep arrays and objects are nested in a text. The text need not
// be valid JSON: Depth counts the brackets outside of strings.
func Depth(text []byte) int {
	depth, deepest := 0, 0
	for at := 0; at < len(text); at++ {
		switch text[at] {
		case '"':
			at = stringEnd(text, at) - 1
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		}
	}
	return deepest
}

// decode returns the text of a JSON string.
func decode(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 && utf8.Valid(quoted) {
		return string(quoted[1 : len(quoted)-1])
	}
	var name string
	_ = json.Unmarshal(quoted, &name) // valid, as the whole text is
	return name
}

// space returns where the white space that begins at a place ends. The result is at
// most the text's end.
func space(text []byte, at int) int {
	for at < len(text) && bytes.IndexByte([]byte(" \t\r\n"), text[at]) >= 0 {
		at++
	}
	return min(at, len(text))
}

// stringEnd returns where the string ends that begins with a quote at a place. That
// is behind its last quote, or at the text's end if the last quote is missing.
func stringEnd(text []byte, at int) int {
	for at++; ; at++ {
		next := bytes.IndexByte(text[at:], '"')
		if next < 0 {
			return len(text)
		}
		escapes := 0
		for escapes < next && text[at+next-1-escapes] == '\\' {
			escapes++
		}
		if at += next; escapes%2 == 0 {
			return at + 1
		}
	}
}

// valueEnd returns where the value that begins at a place ends.
func valueEnd(text []byte, at int) int {
	for depth := 0; at < len(text); at++ {
		switch text[at] {
		case '"':
			if at = stringEnd(text, at) - 1; depth == 0 {
				return at + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return at // the end of the array or object that holds a number or literal
			}
			if depth--; depth == 0 {
				return at + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return at
			}
		}
	}
	return at
}

// IsObject reports whether a text begins with an object.
func IsObject(text []byte) bool { return begins(text, '{') }

// IsArray reports whether a text begins with an array.
func IsArray(text []byte) bool { return begins(text, '[') }

func begins(text []byte, with byte) bool {
	at := space(text, 0)
	return at < len(text) && text[at] == with
}
