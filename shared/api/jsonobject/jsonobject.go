// Package jsonobject reads the members of a JSON object as they were written:
// in their order, by their exact names, and those that are there twice.
// Decoding into a struct takes NAME for name, and of two members with one name
// the last. A request must not mean something else than its sender reads in it.
package jsonobject

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// Members yields the name and the value of every member of an object, in the
// order of the text. The text must be valid JSON; any other value than an object
// has no members.
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

// Elements yields the elements of an array. The text must be valid JSON; any
// other value than an array has no elements.
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

// Depth answers how deep arrays and objects are nested in a text, of which
// nothing needs to be valid: brackets are counted that stand outside of strings.
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

// decode is the text of a JSON string.
func decode(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 && utf8.Valid(quoted) {
		return string(quoted[1 : len(quoted)-1])
	}
	var name string
	_ = json.Unmarshal(quoted, &name) // valid, as the whole text is
	return name
}

// space answers where the white space ends that begins at a place, at most
// the text's end.
func space(text []byte, at int) int {
	for at < len(text) && bytes.IndexByte([]byte(" \t\r\n"), text[at]) >= 0 {
		at++
	}
	return min(at, len(text))
}

// stringEnd answers where the string ends that begins with a quote at a place:
// behind its last quote, or at the end of a text that ends before.
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

// valueEnd answers where the value ends that begins at a place.
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
				return at // the end of what a number or word stands in
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
