package selection_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/kv/canonical"
	"github.com/opsplane/opsplane/shared/kv/selection"
)

const document = `{"a":{"b":[1,2,{"c":"deep"}],"null":null},"s":"te\"xt\\","odd-key":{"x":"} ]"},` +
	`"é":"accent","items":[{"name":"first","n":1},{"name":"second","tags":["t1","t2"]},7],"nested":[[{"k":1}],{"k":2}]}`

func TestPathsSelectTheirFirstMatch(t *testing.T) {
	value, err := canonical.Parse([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ path, want string }{
		{`a.b`, `[1,2,{"c":"deep"}]`},
		{`a.b[0]`, `1`},
		{`a.b[2].c`, `"deep"`},
		{`a.b[3]`, `null`},
		{`a.b[*]`, `1`},
		{`a.b.c`, `"deep"`}, // a name looks into the elements of an array
		{`a.null`, `null`},
		{`a.missing`, `null`},
		{`s`, `"te\"xt\\"`},
		{`s.x`, `null`},
		{`s[0]`, `"te\"xt\\"`}, // anything is taken for an array of one
		{`s[*][0][*]`, `"te\"xt\\"`},
		{`s[1]`, `null`},
		{`"odd-key".x`, `"} ]"`},
		{`"odd\u002dkey" . "x"`, `"} ]"`},
		{`é`, `"accent"`},
		{`items.name`, `"first"`},
		{`items[1].name`, `"second"`},
		{`items[*].tags[1]`, `"t2"`},
		{` items [ 1 ] . tags [ * ] `, `"t1"`},
		{`items[2]`, `7`},
		{`nested.k`, `2`}, // only one level deep
		{`nested[*].k`, `1`},
		{`[0].s`, `"te\"xt\\"`},
	}
	for _, tt := range tests {
		s, err := selection.Parse(slices.Values([]string{"x=" + tt.path}))
		if err != nil {
			t.Errorf("%s: %v", tt.path, err)
			continue
		}
		got, err := s.Apply(value.Text)
		if want := `{"x":` + tt.want + `}`; err != nil || string(got) != want {
			t.Errorf("%s = %s, %v; want %s", tt.path, got, err, want)
		}
	}
}

func TestBothWaysToSendListsAreRead(t *testing.T) {
	const text = `{"a":1,"b":[2,3],"a,b":4}`
	tests := []struct {
		values []string
		want   string
	}{
		{nil, text},
		{[]string{""}, `{}`},
		{[]string{",", ""}, `{}`},
		{[]string{"x=a"}, `{"x":1}`},
		{[]string{"x=a", "y=b[1]"}, `{"x":1,"y":3}`},
		{[]string{"x=a,y=b[1]"}, `{"x":1,"y":3}`},
		{[]string{"x=a,,y=b[1],", "z=a"}, `{"x":1,"y":3,"z":1}`},
		{[]string{`x="a,b",y=a`}, `{"x":4,"y":1}`},
		{[]string{`x="\"a,b",y=a`}, `{"x":null,"y":1}`},
		{[]string{`q"=a,y"=b[0]`}, `{"q\"":1,"y\"":2}`},
		{[]string{"long=a,b=a,a=a"}, `{"a":1,"b":1,"long":1}`},
		{[]string{"=a"}, `{"":1}`},
		{[]string{`x="a=b"`}, `{"x":null}`},
	}
	for _, tt := range tests {
		s, err := selection.Parse(slices.Values(tt.values))
		if err != nil {
			t.Errorf("Parse(%q): %v", tt.values, err)
			continue
		}
		if got, err := s.Apply([]byte(text)); err != nil || string(got) != tt.want {
			t.Errorf("select %q = %s, %v; want %s", tt.values, got, err, tt.want)
		}
		if got := s.Reads(); got != (tt.want != `{}`) {
			t.Errorf("select %q: Reads = %t", tt.values, got)
		}
	}
}

func TestRefusalsSayWhy(t *testing.T) {
	items := func(n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf("x%d=a", i))
		}
		return strings.Join(list, ",")
	}
	for _, fits := range []string{items(selection.MaxItems), "x=" + strings.Repeat("a", selection.MaxItemBytes)} {
		if _, err := selection.Parse(slices.Values([]string{fits})); err != nil {
			t.Errorf("at the limit: %v", err)
		}
	}
	tests := []struct{ value, says string }{
		{`x`, "alias=path"},
		{`x=a,b`, "alias=path"},
		{`x=`, "expected a name"},
		{`x=.a`, "expected a name"},
		{`x=a.`, "expected a name"},
		{`x=a..b`, "expected a name"},
		{`x=$.a`, "expected a name"},
		{`x=a.*`, "expected a name"},
		{`x=1a`, "expected a name"},
		{`x=a-b`, "expected '.' or '['"},
		{`x=a ? (@.n == 2)`, "expected '.' or '['"},
		{`x=a.size()`, "expected '.' or '['"},
		{`x=a[`, "expected an index or *"},
		{`x=a[-1]`, "expected an index or *"},
		{`x=a[last]`, "expected an index or *"},
		{`x=a[99999999999]`, "expected an index or *"},
		{`x=a[0 to 1]`, "expected ']'"},
		{`x=a[0,1]`, "expected ']'"},
		{`x="a`, "has no end"},
		{`x="a\`, "has no end"},
		{`x="\q"`, "no JSON string"},
		{`x="\ud800"`, "no JSON string"},
		{"x=\xff", "UTF-8"},
		{"\x00=a", "U+0000"},
		{items(selection.MaxItems + 1), "at most 50 items"},
		{"x=a,x=b[0]", `alias "x" is there twice`},
		{"x=a,y=a,x=a", `alias "x" is there twice`},
		{"=a,=b", `alias "" is there twice`},
		{"x=" + strings.Repeat("a", selection.MaxItemBytes+1), "at most 1024"},
		{strings.Repeat("a", selection.MaxItemBytes+1) + "=a", "at most 1024"},
	}
	for _, tt := range tests {
		_, err := selection.Parse(slices.Values([]string{tt.value}))
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid || f.ID != "INVALID_SELECT" || !strings.Contains(f.Detail, tt.says) {
			t.Errorf("Parse(%.40q) = %v; want INVALID_SELECT saying %q", tt.value, err, tt.says)
		}
	}
}

func TestAResultThatIsTooLongIsRefused(t *testing.T) {
	s, err := selection.Parse(slices.Values([]string{"a=x,b=x,c=x"}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Apply([]byte(`{"x":"` + strings.Repeat("x", canonical.MaxText/3) + `"}`))
	if !errors.Is(err, &fault.Error{Kind: fault.Invalid, ID: "SELECTION_TOO_LARGE"}) {
		t.Errorf("got %v", err)
	}
}

func TestAliasThatIsInTwoParametersIsRefused(t *testing.T) {
	if _, err := selection.Parse(slices.Values([]string{"x=a", "x=b"})); !errors.Is(err, &fault.Error{Kind: fault.Invalid, ID: "INVALID_SELECT"}) {
		t.Errorf("got %v", err)
	}
}

// TestCostIsOnePass selects with paths that could pass over nested arrays again and
// again.
func TestCostIsOnePass(t *testing.T) {
	text := strings.Repeat("[", canonical.MaxDepth) + strings.TrimSuffix(strings.Repeat("0,", 1<<20), ",") + strings.Repeat("]", canonical.MaxDepth)
	var values []string
	for i := range 10 {
		values = append(values, fmt.Sprintf("x%d=%s.x", i, strings.Repeat("[*]", 340)))
	}
	s, err := selection.Parse(slices.Values(values))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if _, err := s.Apply([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
	t.Logf("%d items over %d bytes: %v", len(values), len(text), time.Since(start))
}

// matches is a second implementation of a path on the decoded tree. It returns
// every match of steps. A string is a member, an int is an element, and nil is all
// elements.
func matches(v any, steps []any) []any {
	if len(steps) == 0 {
		return []any{v}
	}
	list, isList := v.([]any)
	var next []any
	switch s := steps[0].(type) {
	case string:
		if !isList {
			list = []any{v}
		}
		for _, e := range list {
			if o, ok := e.(map[string]any); ok {
				if m, ok := o[s]; ok {
					next = append(next, m)
				}
			}
		}
	case int:
		if !isList {
			list = []any{v}
		}
		if s < len(list) {
			next = list[s : s+1]
		}
	case nil:
		if next = list; !isList {
			next = []any{v}
		}
	}
	var all []any
	for _, e := range next {
		all = append(all, matches(e, steps[1:])...)
	}
	return all
}

func TestAnyPathMeansWhatItMeansOnTheTree(t *testing.T) {
	name := rapid.SampledFrom([]string{"a", "b", `q"`, `\`, "]"})
	var tree func(depth int) *rapid.Generator[any]
	tree = func(depth int) *rapid.Generator[any] {
		return rapid.Custom(func(t *rapid.T) any {
			switch kind := rapid.IntRange(0, 5).Draw(t, "kind"); {
			case depth == 0 || kind == 0:
				return rapid.OneOf(rapid.Just(any(nil)), rapid.Just(any(float64(1))), rapid.Just(any(`}"]\`))).Draw(t, "leaf")
			case kind < 3:
				return rapid.SliceOfN(tree(depth-1), 0, 3).Draw(t, "list")
			}
			return rapid.MapOfN(name, tree(depth-1), 0, 3).Draw(t, "object")
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		v := tree(4).Draw(t, "value")
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		value, err := canonical.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		// Several paths at the same time are found in one walk.
		values, want := []string{}, map[string]any{}
		for i := range rapid.IntRange(1, 6).Draw(t, "items") {
			steps, path := drawPath(t, name)
			alias := fmt.Sprintf("x%d", i)
			values, want[alias] = append(values, alias+"="+path), nil
			if all := matches(v, steps); len(all) > 0 {
				want[alias] = all[0]
			}
		}
		s, err := selection.Parse(slices.Values(values))
		if err != nil {
			t.Fatalf("Parse(%q): %v", values, err)
		}
		got, err := s.Apply(value.Text)
		if err != nil {
			t.Fatal(err)
		}
		wantText, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		wantValue, err := canonical.Parse(wantText)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(wantValue.Text) {
			t.Fatalf("%q of %s = %s, want %s", values, value.Text, got, wantValue.Text)
		}
	})
}

// drawPath draws a path, in the form for matches and as text.
func drawPath(t *rapid.T, name *rapid.Generator[string]) (steps []any, text string) {
	var path strings.Builder
	for i := range rapid.IntRange(1, 5).Draw(t, "steps") {
		switch rapid.IntRange(0, 3).Draw(t, "step") {
		case 0:
			n := rapid.IntRange(0, 2).Draw(t, "n")
			steps = append(steps, n)
			fmt.Fprintf(&path, "[%d]", n)
		case 1:
			steps = append(steps, nil)
			path.WriteString("[*]")
		default:
			m := name.Draw(t, "name")
			steps = append(steps, m)
			if i > 0 {
				path.WriteByte('.')
			}
			path.Write(canonical.AppendString(nil, m))
		}
	}
	return steps, path.String()
}
