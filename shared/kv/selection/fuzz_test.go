package selection

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/kv/canonical"
)

// print returns a selection as a value of the select parameter.
func (s Selection) print() string {
	var b strings.Builder
	for i, it := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(it.alias + "=")
		for i, st := range it.steps {
			switch {
			case st.every:
				b.WriteString("[*]")
			case st.name == nil:
				b.WriteString("[" + strconv.Itoa(st.index) + "]")
			case i > 0:
				b.WriteString("." + string(st.name))
			default:
				b.Write(st.name)
			}
		}
	}
	return b.String()
}

// find is a second implementation of a path: it returns the path's first match in
// the tree that encoding/json reads.
func find(v any, steps []step) (any, bool) {
	if len(steps) == 0 {
		return v, true
	}
	s, list := steps[0], []any{v}
	if array, ok := v.([]any); ok {
		list = array
	}
	for i, e := range list {
		if s.name == nil && !s.every && s.index != i {
			continue
		}
		if s.name != nil {
			var name string
			o, ok := e.(map[string]any)
			if json.Unmarshal(s.name, &name) != nil || !ok {
				continue
			}
			if e, ok = o[name]; !ok {
				continue
			}
		}
		if found, ok := find(e, steps[1:]); ok {
			return found, true
		}
	}
	return nil, false
}

// FuzzSelect checks that a selection is the same after print and Parse. It also
// checks that the selection has, under each alias, what its path means on the
// decoded tree, and nothing else.
func FuzzSelect(f *testing.F) {
	f.Fuzz(func(t *testing.T, first, second string, text []byte) {
		values := []string{first}
		if second != "" {
			values = append(values, second)
		}
		s, err := Parse(slices.Values(values))
		if err != nil {
			return
		}
		if len(s) > MaxItems {
			t.Fatalf("%d items", len(s))
		}
		if again, err := Parse(slices.Values([]string{s.print()})); err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("%q was read as %s, and that as %s (%v)", values, s.print(), again.print(), err)
		}
		const enough = 4 << 10 // for find, which may pass over an array many times
		v, err := canonical.Parse(text)
		if err != nil || len(v.Text) > enough || len(s.print()) > 200 {
			return
		}
		checkApplied(t, s, v.Text)
	})
}

// checkNothingKept compares a walk that keeps no search with a walk that does.
func checkNothingKept(t *testing.T, s Selection, text []byte) {
	t.Helper()
	if len(s) == 0 {
		return
	}
	w := walker{text: text, matches: make([][]byte, len(s)), open: len(s), searches: searches{kept: maxKept}}
	if w.value(s.search()); !reflect.DeepEqual(w.matches, firsts(text, s)) {
		t.Fatalf("%s of %s is %q with nothing kept, and %q else", s.print(), text, w.matches, firsts(text, s))
	}
}

func checkApplied(t *testing.T, s Selection, text []byte) {
	t.Helper()
	var tree any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{}
	for _, it := range s {
		want[it.alias], _ = find(tree, it.steps)
	}
	out, err := s.Apply(bytes.Clone(text))
	if err != nil {
		t.Fatal(err)
	}
	checkNothingKept(t, s, text)
	d = json.NewDecoder(bytes.NewReader(out))
	d.UseNumber()
	got := map[string]any{}
	if err := d.Decode(&got); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%s of %s is %s, want %v (%v)", s.print(), text, out, want, err)
	}
	again, err := canonical.Parse(out)
	if err != nil || !bytes.Equal(again.Text, out) {
		t.Fatalf("%s of %s is %s, which is not canonical (%v)", s.print(), text, out, err)
	}
}
