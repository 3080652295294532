// Package shorten cuts texts that are longer than there is room for. Its
// invariant: what is left is whole characters, if the text was.
package shorten

import "unicode/utf8"

// Head keeps the beginning of a text, at most so many bytes.
func Head(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// Tail keeps the end of a text, at most so many bytes.
func Tail(text string, most int) string {
	if len(text) <= most {
		return text
	}
	from := len(text) - most
	for from < len(text) && !utf8.RuneStart(text[from]) {
		from++
	}
	return text[from:]
}
