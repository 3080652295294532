// Package texts writes the comments of pull requests, in the Markdown of GitHub and GitLab.
// The package is pure.
//
// Its invariants: what people and programs wrote (names, outputs, messages) cannot become
// Markdown; no comment is longer than Limit; none ends inside a block of code.
package texts

import (
	"fmt"
	"html"
	"strings"
	"unicode/utf8"
)

// Max is the length up to which parts are put into one comment, in bytes.
const Max = 32 << 10

// Limit is the longest comment, in bytes. GitHub takes 65,536 characters (orchestration,
// 19). The rest is for the marker.
const Limit = 60_000

// Longest texts of others in a line, in bytes.
const (
	maxCode  = 1000
	maxPlain = 4000
	maxTitle = 500 // also a number of a pull request
)

// short returns a text, cut to most bytes.
func short(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + "…"
}

// bounded returns a comment of at most Limit bytes. It is cut at the end of a line, and an
// open block of code is closed.
func bounded(text string) string {
	const sign, reserve = "\n… cut\n", 16
	if len(text) <= Limit {
		return text
	}
	text = text[:strings.LastIndexByte(text[:Limit-reserve], '\n')+1]
	for {
		open := openFence(text)
		if len(text)+len(open)+len(sign)+1 <= Limit {
			if open != "" {
				text += open + "\n"
			}
			return text + sign
		}
		text = text[:strings.LastIndexByte(text[:len(text)-len(open)], '\n')+1]
	}
}

// openFence returns the fence of the block of code in which a text ends, or the empty text.
func openFence(text string) string {
	fence := ""
	for line := range strings.SplitSeq(text, "\n") {
		ticks := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		switch {
		case fence == "" && len(ticks) >= 3 && !strings.Contains(line[len(ticks):], "`"): // else it is code in a line
			fence = ticks
		case fence != "" && len(ticks) >= len(fence) && strings.TrimSpace(line) == ticks:
			fence = ""
		}
	}
	return fence
}

// Code returns a text as code in a line, cut to maxCode bytes.
func Code(text string) string {
	text = short(text, maxCode)
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

// title returns a text as a part of the title of a folded part. No Markdown is read there.
func title(text string) string {
	return strings.NewReplacer("\n", " ", "\r", " ", "@", "@\u200b").Replace(html.EscapeString(short(text, maxTitle)))
}

// folded returns a part that is closed until somebody opens it.
func folded(title, body string) string {
	return "<details><summary>" + title + "</summary>\n\n" + body + "\n</details>\n"
}

// escapes keep HTML and Markdown from reading a text.
var escapes = strings.NewReplacer("\\", "\\\\", "&", "&amp;", "<", "&lt;", ">", "&gt;", "*", "\\*", "_", "\\_", "`", "\\`", "[", "\\[", "]", "\\]",
	"|", "\\|", "~", "\\~", "#", "\\#", "@", "@\u200b", "\n", " ", "\r", " ")

// plain returns a text that HTML and Markdown leave as it is, cut to maxPlain bytes.
func plain(text string) string { return escapes.Replace(short(text, maxPlain)) }

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
