// Package selection picks parts out of a stored value: the select parameter
// of the key-value store's reads. Each item is alias=path, and the selected
// value is an object with the first match of each path under its alias.
//
// Paths are the part of SQL/JSON path language that walks: names joined by
// dots, names in double quotes, [n] and [*], in lax mode (a name applied to an
// array looks into its elements, an index applied to anything else takes it
// for an array of one). Its invariant: all items are found in one pass over the
// value, whatever the paths and the value.
package selection

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/kv/canonical"
)

// Limits of a selection. Each is named by the fault that refuses what is
// beyond.
const (
	// MaxItems is how many items a selection may have.
	MaxItems = 50
	// MaxItemBytes is how long an alias, and how long a path may be.
	MaxItemBytes = 1 << 10
)

// Selection is a list of items. A nil Selection selects the whole value, an
// empty one nothing: its result is the empty object.
type Selection []item

// item is one alias and its path.
type item struct {
	alias string
	steps []step
}

// Parse reads the values of the select parameter, percent-decoding done. A
// value may hold several items between commas; commas inside the quotes and
// brackets of a path belong to it. Empty items are dropped, so that one empty
// value makes an empty selection; no value at all makes a nil one. What is no
// selection, or breaks a limit, is an Invalid fault.
func Parse(values []string) (Selection, error) {
	if len(values) == 0 {
		return nil, nil
	}
	s := Selection{}
	for _, value := range values {
		if !utf8.ValidString(value) {
			return nil, invalidf("select must be valid UTF-8")
		}
		for rest := value; rest != ""; {
			var text string
			text, rest = cutItem(rest)
			if text == "" {
				continue
			}
			if len(s) == MaxItems {
				return nil, invalidf("at most %d items are allowed", MaxItems)
			}
			it, err := parseItem(text)
			if err != nil {
				return nil, err
			}
			s = append(s, it)
		}
	}
	return s.ordered()
}

// cutItem cuts text at the first comma that separates items.
func cutItem(text string) (first, rest string) {
	inPath, inQuotes, brackets := false, false, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inQuotes && c == '\\':
			i++
		case inPath && c == '"':
			inQuotes = !inQuotes
		case inQuotes:
		case c == '=':
			inPath = true
		case inPath && c == '[':
			brackets++
		case inPath && c == ']':
			brackets--
		case c == ',' && brackets <= 0:
			return text[:i], text[i+1:]
		}
	}
	return text, ""
}

func parseItem(text string) (item, error) {
	alias, path, ok := strings.Cut(text, "=")
	switch {
	case !ok:
		return item{}, invalidf("%q has no path: write alias=path", shorten(text))
	case strings.Contains(alias, "\x00"):
		return item{}, invalidf("an alias may not hold the character U+0000")
	case len(alias) > MaxItemBytes:
		return item{}, invalidf("an alias may have at most %d bytes", MaxItemBytes)
	case len(path) > MaxItemBytes:
		return item{}, invalidf("the path of %q has %d bytes; at most %d are allowed", shorten(alias), len(path), MaxItemBytes)
	}
	steps, err := parsePath(path)
	return item{alias, steps}, err
}

// ordered returns the items in the order in which a canonical object has its
// members. An alias that is there twice is an Invalid fault.
func (s Selection) ordered() (Selection, error) {
	slices.SortFunc(s, func(a, b item) int {
		return cmp.Or(cmp.Compare(len(a.alias), len(b.alias)), strings.Compare(a.alias, b.alias))
	})
	for i := 1; i < len(s); i++ {
		if s[i].alias == s[i-1].alias {
			return nil, invalidf("the alias %q is there twice: give each item an alias of its own", shorten(s[i].alias))
		}
	}
	return s, nil
}

// Reads reports whether the result depends on the value: it does not when
// nothing is selected.
func (s Selection) Reads() bool { return s == nil || len(s) > 0 }

// Apply selects from text, the canonical text of a value; of an empty
// selection, text may be nil. The result is a canonical text. It is an Invalid
// fault when the result is longer than canonical.MaxText: a path may be
// selected many times over.
func (s Selection) Apply(text []byte) ([]byte, error) {
	if s == nil {
		return text, nil
	}
	out, matches := []byte{'{'}, firsts(text, s)
	for i, it := range s {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(canonical.AppendString(out, it.alias), ':')
		match := matches[i]
		if match == nil {
			match = []byte("null")
		}
		if len(out)+len(match) >= canonical.MaxText {
			return nil, fault.Invalidf("SELECTION_TOO_LARGE",
				"the selected parts take more than %d bytes together; select fewer", canonical.MaxText)
		}
		out = append(out, match...)
	}
	return append(out, '}'), nil
}

func invalidf(format string, args ...any) error {
	return fault.Invalidf("INVALID_SELECT", "select: "+format, args...)
}

// shorten cuts a caller's text to what an error may show of it.
func shorten(text string) string {
	const shown = 80
	if len(text) <= shown {
		return text
	}
	return strings.ToValidUTF8(text[:shown], "") + "…"
}
