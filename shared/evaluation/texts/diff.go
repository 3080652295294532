package texts

import (
	"strings"
	"unicode/utf8"
)

// signs are the signs of a plan, with those that make the line of a diff coloured.
var signs = []struct{ plan, diff string }{
	{"-/+ ", "-/+ "}, {"+/- ", "+/- "}, {"+ ", "+ "}, {"- ", "- "}, {"~ ", "! "}, {"<= ", "! "},
}

// asDiff moves the sign of each line of a plan to its beginning, where a diff has it.
func asDiff(plan string) string {
	lines := strings.Split(plan, "\n")
	for i, line := range lines {
		rest := strings.TrimLeft(line, " ")
		for _, s := range signs {
			if after, ok := strings.CutPrefix(rest, s.plan); ok {
				lines[i] = s.diff + strings.Repeat(" ", len(line)-len(rest)) + after
				break
			}
		}
	}
	return strings.Join(lines, "\n")
}

// pieces cuts a text at the ends of lines into pieces of at most most bytes. A longer line
// is cut between characters.
func pieces(text string, most int) []string {
	var made []string
	for len(text) > most {
		at := strings.LastIndexByte(text[:most+1], '\n')
		skip := 1
		if at <= 0 {
			at, skip = most, 0
			for at > 0 && !utf8.RuneStart(text[at]) {
				at--
			}
		}
		made = append(made, text[:at])
		text = text[at+skip:]
	}
	return append(made, text)
}

// end returns at most most bytes of the end of a text, from the beginning of a line.
func end(text string, most int) string {
	if len(text) <= most {
		return text
	}
	text = text[len(text)-most:]
	if at := strings.IndexByte(text, '\n'); at >= 0 && at < len(text)-1 {
		return "…\n" + text[at+1:]
	}
	for len(text) > 0 && !utf8.RuneStart(text[0]) {
		text = text[1:]
	}
	return "…" + text
}
