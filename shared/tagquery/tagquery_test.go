package tagquery_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/tagquery"
)

func TestOperatorsBindAsTheContractSays(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", " \t\r\n": "", "a": "a", "a and b or c": "a and b or c", "a or b and c": "a or b and c",
		"a b or c": "a and (b or c)", "a or b c and d": "a or b and (c and d)", "a and b c or d": "a and (b and (c or d))",
		"(a or b) c or d": "(a or b) and (c or d)", "not a b or c": "(not a) and (b or c)", "a or b or c": "a or b or c",
		"A AND B Or nOt C": "A and B or (not C)", `"and" 'it"s'`: `"and" and "it\"s"`, `"a b"`: `"a b"`, `'x\'y'`: `"x'y"`,
		`user:"a b"`: `user: and "a b"`, "x in dir": "x in dir", "not (x in dir)": "not (x in dir)", "a\nb": "a and b", "((a))": "a",
		`""`: `""`, `dir~x`: "dir~x", "a(b)c": "a and (b and c)", "not(a)": "not a",
	} {
		e, err := tagquery.Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if again, err := tagquery.Parse(want); err != nil || !reflect.DeepEqual(e, again) {
			t.Errorf("%q: got %q, want %q, %v", text, tagquery.String(e), want, err)
		}
	}
}

func TestWhatIsNoQueryIsRefused(t *testing.T) {
	t.Parallel()
	for text, at := range map[string]int{
		"not not a": 4, "not x in dir": 0, "a or": 4, "or a": 0, "()": 1, "(a": 0, "a)": 1, "x in y": 5, "x in": 4, "'a": 0, `a "b\`: 2,
		"and": 0, "not": 3, "a and or b": 6, "in dir": 0, "a in (dir)": 5, "\xff": 0,
		strings.Repeat("a", tagquery.MaxBytes+1): tagquery.MaxBytes,
	} {
		e, err := tagquery.Parse(text)
		var refused *tagquery.ParseError
		if !errors.As(err, &refused) || refused.At != at || refused.Why == "" {
			t.Errorf("%.20q: got %v, %v, want a mistake at byte %d", text, e, err, at)
		}
	}
	for _, deep := range []string{strings.Repeat("(", 3000) + "a" + strings.Repeat(")", 3000), strings.Repeat("a ", 4000)} {
		if _, err := tagquery.Parse(deep); err == nil {
			t.Errorf("%.10q… is nested too deep and was taken", deep)
		}
	}
}

// expr draws an expression.
func expr(depth int) *rapid.Generator[tagquery.Expr] {
	return rapid.Custom(func(t *rapid.T) tagquery.Expr {
		kinds := 5
		if depth == 0 {
			kinds = 2
		}
		tag := rapid.OneOf(rapid.SampledFrom([]string{"a", "dir:x", "not", "IN", "", "a b", `"`, `\`, "(", "é"}), rapid.String())
		switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
		case 0:
			return tagquery.Tag(tag.Draw(t, "tag"))
		case 1:
			return tagquery.In{Fragment: tag.Draw(t, "fragment"), Name: "dir"}
		case 2:
			return tagquery.Not{Expr: expr(depth-1).Draw(t, "not")}
		case 3:
			return tagquery.And{Left: expr(depth-1).Draw(t, "left"), Right: expr(depth-1).Draw(t, "right")}
		default:
			return tagquery.Or{Left: expr(depth-1).Draw(t, "left"), Right: expr(depth-1).Draw(t, "right")}
		}
	})
}

func TestWhatIsPrintedIsReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := expr(4).Draw(t, "expression")
		text := tagquery.String(want)
		got, err := tagquery.Parse(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: got %#v, want %#v, %v", text, got, want, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a b or c", "not (a in dir)", `"x\"y" 'z'`, "((a) or (b))", "created_at:2024-01-01..", "\\"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := tagquery.Parse(text)
		if err != nil {
			return
		}
		if printed := tagquery.String(e); len(printed) <= tagquery.MaxBytes {
			again, err := tagquery.Parse(printed)
			if err != nil || !reflect.DeepEqual(e, again) {
				t.Errorf("%q prints as %q, which is %#v, %v", text, printed, again, err)
			}
		}
	})
}
