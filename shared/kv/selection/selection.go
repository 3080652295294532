// Package selection selects parts of a stored value: the select parameter of the
// key-value store's reads. Each item has the form alias=path. The result is an
// object that has, under each alias, the first match of its path.
//
// Paths are a part of the SQL/JSON path language: names joined by dots, names in
// double quotes, [n] and [*]. They work in lax mode: a name applied to an array
// looks into its elements, and an index applied to anything else takes it for an
// array of one element.
//
// The invariant: all items are found in one pass over the value, whatever the paths
// and the value are.
package selection

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/kv/canonical"
)

// Limits of a selection. The fault that refuses a larger selection names the limit.
const (
	// MaxItems is the maximum number of items of a selection.
	MaxItems = 50
	// MaxItemBytes is the maximum length of an alias and of a path, in bytes each.
	MaxItemBytes = 1 << 10
)

// Selection is a list of items. A nil Selection selects the whole value. An empty
// Selection selects nothing: its result is the empty object.
type Selection []item

// item is one alias and its path.
type item struct {
	alias string
	steps []step
}

// Parse reads the values of the select parameter, after percent-decoding. A value
// may hold several items, separated by commas. A comma inside the quotes or
// brackets of a path belongs to the path. Empty items are dropped, so one empty
// value makes an empty selection. No value at all makes a nil selection. Parse
// returns an Invalid fault at the first value that is not a selection or exceeds a
// limit.
func Parse(values iter.Seq[string]) (Selection, error) {
	var s Selection
	for value := range values {
		if s == nil {
			s = Selection{}
		}
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

// ordered returns the items in the order that a canonical object gives its members.
// It returns an Invalid fault if an alias appears twice.
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

// Reads reports whether the result depends on the value. It does not if nothing is
// selected.
func (s Selection) Reads() bool { return s == nil || len(s) > 0 }

// Apply selects from text, the canonical text of a value. text may be nil if the
// selection is empty. The result is a canonical text. Apply returns an Invalid
// fault if the result is longer than canonical.MaxText: many items may select the
// same path.
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

// shorten returns the part of a caller's text that an error may show.
func shorten(text string) string {
	const shown = 80
	if len(text) <= shown {
		return text
	}
	return strings.ToValidUTF8(text[:shown], "") + "…"
}
