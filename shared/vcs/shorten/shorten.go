// Package shorten cuts texts that are too long. Its invariant: it never cuts a
// character in two, so a valid text stays valid.
package shorten

import "unicode/utf8"

// Head returns the beginning of a text. most is the maximum number of bytes.
func Head(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// Tail returns the end of a text. most is the maximum number of bytes.
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
