package jsonobject_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/api/jsonobject"
)

func TestMembersAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`{}`: nil, ` { } `: nil, `[]`: nil, `"{"`: nil, `7`: nil, ``: nil,
		`{"a":1}`:                                {"a", "1"},
		`{"a":1,"A":2,"a":3}`:                    {"a", "1", "A", "2", "a", "3"},
		` { "a" : "}" , "b" : [ {"c":1} , 2 ] }`: {"a", `"}"`, "b", `[ {"c":1} , 2 ]`},
		`{"\u0061\"\\":"\\\"","":{"x":"]"}}`:     {`a"\`, `"\\\""`, "", `{"x":"]"}`},
		"{\"a\":-1.5e3,\n\"b\":null}":            {"a", "-1.5e3", "b", "null"},
	} {
		var got []string
		for name, value := range jsonobject.Members([]byte(text)) {
			got = append(got, name, string(value))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestElementsAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`[]`: nil, `{}`: nil, ` [ ] `: nil, `1`: nil,
		`[1]`: {"1"}, ` [ "],[" , {"a":[1,2]} , [] ,null] `: {`"],["`, `{"a":[1,2]}`, "[]", "null"},
	} {
		var got []string
		for value := range jsonobject.Elements([]byte(text)) {
			got = append(got, string(value))
		}
		if n := jsonobject.Len([]byte(text)); n != len(want) || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %d elements; want %q", text, got, n, want)
		}
	}
}

func TestDepthCountsWhatStandsOutsideOfStrings(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		``: 0, `7`: 0, `"[["`: 0, `{"a":[1,{"b":[]}]}`: 4, `[[]],[`: 2, `"\"[": [`: 1, `["`: 1,
		strings.Repeat("[", 10001): 10001,
	} {
		if got := jsonobject.Depth([]byte(text)); got != want {
			t.Errorf("%.40s: got %d, want %d", text, got, want)
		}
	}
}

// FuzzMembers checks that, if the names in an object differ, Members yields the
// members that encoding/json finds.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{`{"a":1}`, `{"a":{"b":[1,"]"]},"c":"\"}"}`, ` { "" : null , "\n":[{}] } `, "{\"\xa0\":0}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		jsonobject.Depth(text)
		var want map[string]json.RawMessage
		if json.Unmarshal(text, &want) != nil {
			return
		}
		got := map[string]json.RawMessage{}
		for name, value := range jsonobject.Members(text) {
			got[name] = value
		}
		if !maps.EqualFunc(got, want, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	})
}
