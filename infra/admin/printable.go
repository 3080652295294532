package admin

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// printable writes a text that somebody else has chosen as one line that is safe to
// show in a terminal. A character that is not printable is written as \uXXXX, such
// as an escape sequence or a character that changes the direction of writing.
func printable(text string) string { return escaped(text, "") }

// document is like printable, but for a text of several lines. JSON keeps its
// meaning, because these characters can stand only inside its strings.
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
