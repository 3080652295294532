package admin

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// printable writes a text that somebody else has chosen in one line that a
// terminal only shows: what is no printable character, such as an escape
// sequence or one that turns the direction of writing, stands there as \uXXXX.
func printable(text string) string { return escaped(text, "") }

// document is printable for a text of several lines. JSON means the same before
// and behind it, as these characters stand in its strings alone.
func document(text string) string {
	return escaped(strings.ReplaceAll(text, "\r\n", "\n"), "\n\t")
}

func escaped(text, besides string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) || strings.ContainsRune(besides, r) {
			b.WriteRune(r)
			continue
		}
		for _, half := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, half)
		}
	}
	return b.String()
}
