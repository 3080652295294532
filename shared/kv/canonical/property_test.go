package canonical_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/kv/canonical"
)

// jsonText draws a JSON text: any value, in any of its notations.
func jsonText(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		space := rapid.SampledFrom([]string{"", "", " ", "\n", " \t\r"})
		kinds := 5
		if depth == 0 {
			kinds = 3
		}
		switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
		case 0:
			return rapid.SampledFrom([]string{"null", "true", "false"}).Draw(t, "word")
		case 1:
			return rapid.StringMatching(`-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?`).Draw(t, "number")
		case 2:
			return stringText().Draw(t, "string")
		case 3:
			items := rapid.SliceOfN(jsonText(depth-1), 0, 4).Draw(t, "items")
			return "[" + space.Draw(t, "s") + strings.Join(items, space.Draw(t, "s")+","+space.Draw(t, "s")) + "]"
		}
		var members []string
		for range rapid.IntRange(0, 5).Draw(t, "members") {
			name := rapid.OneOf(stringText(), rapid.SampledFrom([]string{`"a"`, `"\u0061"`, `"b"`, `"aa"`, `""`})).Draw(t, "name")
			members = append(members, name+space.Draw(t, "s")+":"+space.Draw(t, "s")+jsonText(depth-1).Draw(t, "value"))
		}
		return "{" + strings.Join(members, ","+space.Draw(t, "s")) + space.Draw(t, "s") + "}"
	})
}

// stringText draws a string. Any of its characters may be escaped.
func stringText() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		var b strings.Builder
		b.WriteByte('"')
		for _, r := range rapid.StringN(0, 8, -1).Draw(t, "runes") {
			escape := rapid.Bool().Draw(t, "escape")
			switch {
			case r == 0 || r == utf8.RuneError:
			case r < 0x20 || r == '"' || r == '\\' || escape && r < 0x10000:
				fmt.Fprintf(&b, `\u%04X`, r)
			default:
				b.WriteRune(r)
			}
		}
		return b.String() + `"`
	})
}

// write is a second implementation of the canonical form, slow and simple. It works
// on the tree that encoding/json reads; that also keeps the last of several equal
// members.
func write(b *strings.Builder, v any, comma, colon string) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case string:
		b.WriteByte('"')
		for _, r := range v {
			short := map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}[r]
			switch {
			case short != "":
				b.WriteString(short)
			case r < 0x20:
				fmt.Fprintf(b, `\u%04x`, r)
			default:
				b.WriteRune(r)
			}
		}
		b.WriteByte('"')
	case json.Number:
		mantissa, exponent, _ := strings.Cut(strings.ToLower(string(v)), "e")
		_, fraction, _ := strings.Cut(mantissa, ".")
		e, _ := strconv.Atoi(exponent) // the nearest int if it is out of range
		r, ok := new(big.Rat).SetString(string(v))
		if !ok {
			r = new(big.Rat) // big.Rat refuses a very large exponent; here only zero has one
		}
		b.WriteString(r.FloatString(max(0, len(fraction)-e)))
	case []any:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteString(comma)
			}
			write(b, item, comma, colon)
		}
		b.WriteByte(']')
	case map[string]any:
		names := slices.SortedFunc(maps.Keys(v), func(x, y string) int {
			return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y))
		})
		b.WriteByte('{')
		for i, name := range names {
			if i > 0 {
				b.WriteString(comma)
			}
			write(b, name, "", "")
			b.WriteString(colon)
			write(b, v[name], comma, colon)
		}
		b.WriteByte('}')
	}
}

func check(t interface{ Fatalf(string, ...any) }, text string) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		t.Fatalf("encoding/json does not read %q: %v", text, err)
	}
	got, err := canonical.Parse([]byte(text))
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	var want, spaced strings.Builder
	write(&want, tree, ",", ":")
	write(&spaced, tree, ", ", ": ")
	if string(got.Text) != want.String() {
		t.Fatalf("Parse(%q)\n got %s\nwant %s", text, got.Text, want.String())
	}
	if n := utf8.RuneCountInString(spaced.String()); got.Size != n {
		t.Fatalf("size of %s = %d, want %d", got.Text, got.Size, n)
	}
	again, err := canonical.Parse(got.Text)
	if err != nil || !bytes.Equal(again.Text, got.Text) || again.Size != got.Size {
		t.Fatalf("Parse(%s) = %s, %v: not its own canonical form", got.Text, again.Text, err)
	}
	var escaped bytes.Buffer
	enc := json.NewEncoder(&escaped)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(string(got.Text)); err != nil {
		t.Fatalf("encode: %v", err)
	}
	if n := escaped.Len() - len("\"\"\n"); got.EscapedLen() != n {
		t.Fatalf("EscapedLen of %q = %d, want %d", got.Text, got.EscapedLen(), n)
	}
}

func TestAnyTextHasTheFormThatItsTreeHas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { check(t, jsonText(4).Draw(t, "text")) })
}

func TestAppendStringWritesWhatParseWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := strings.ToValidUTF8(strings.ReplaceAll(rapid.String().Draw(t, "s"), "\x00", ""), "")
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		want, err := canonical.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := canonical.AppendString(nil, s); !bytes.Equal(got, want.Text) {
			t.Fatalf("AppendString(%q) = %s, want %s", s, got, want.Text)
		}
	})
}

// FuzzParse checks that no text makes Parse panic, that encoding/json accepts every
// text that Parse accepts, and that the result is canonical.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"b":[1e3,-0.0,{"a":"\ud83d\ude00"}],"a":null,"b":1}`, `"\u2028\u0001"`, `-12.50e-3`, `[[[]]]`, `0e9227000000000000000`, "\"\xff\"", `{"a":1`, `1e1000`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := canonical.Parse(text); err == nil {
			check(t, string(text))
		}
	})
}
