// Package texts writes the comments of pull requests, in the Markdown of GitHub and GitLab.
// The package is pure.
//
// Its invariants: what people and programs wrote (names, outputs, messages) cannot become
// Markdown; no comment is longer than Max; none ends inside a block of code.
package texts

import (
	"fmt"
	"html"
	"strings"
)

// Max is the longest comment, in bytes. GitHub takes 65,536 characters (orchestration, 19).
const Max = 32 << 10

// Code returns a text as code in a line.
func Code(text string) string {
	text = strings.Map(func(c rune) rune {
		if c == '\n' || c == '\r' {
			return ' '
		}
		return c
	}, text)
	fence := fenceFor(text, 1)
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") || strings.TrimSpace(text) == "" {
		text = " " + text + " "
	}
	return fence + text + fence
}

// cell returns a text as code in a cell of a table.
func cell(text string) string { return strings.ReplaceAll(Code(text), "|", "\\|") }

// fenceFor returns backticks that a text does not have in a row, at least least of them.
func fenceFor(text string, least int) string {
	longest, row := 0, 0
	for _, c := range text {
		if c == '`' {
			row++
			longest = max(longest, row)
		} else {
			row = 0
		}
	}
	if longest >= least {
		least = longest + 1
	}
	return strings.Repeat("`", least)
}

// block returns a text as a block of code of a language.
func block(language, text string) string {
	fence := fenceFor(text, 3)
	return fence + language + "\n" + strings.TrimSuffix(text, "\n") + "\n" + fence + "\n"
}

// folded returns a part that is closed until somebody opens it.
func folded(title, body string) string {
	return "<details><summary>" + title + "</summary>\n\n" + body + "\n</details>\n"
}

// plain returns a text that HTML and Markdown leave as it is.
func plain(text string) string {
	return strings.NewReplacer("*", "\\*", "_", "\\_", "`", "\\`", "[", "\\[", "]", "\\]", "|", "\\|", "~", "\\~", "#", "\\#", "@", "@\u200b", "\n", " ").
		Replace(html.EscapeString(text))
}

// count returns "1 thing" or "N things".
func count(n int, one string) string {
	switch {
	case n == 1:
		return "1 " + one
	case strings.HasSuffix(one, "y"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(one, "y"))
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// Marker returns a line that nobody sees, by which a comment is found again after the
// response of the host was lost.
func Marker(key string) string {
	return "<!-- opsplane " + strings.ReplaceAll(key, "--", "- -") + " -->\n"
}
