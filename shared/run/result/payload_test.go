package result_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/run/result"
)

// payload returns what is kept of a payload.
func payload(t testing.TB, text string) string {
	t.Helper()
	r := decode(t, body(`{"step":"tf/apply","success":true,"scope":`+net+`,"payload":`+text+`}`))
	return string(r.Payload(r.Steps[0]))
}

func TestValuesOfSensitiveOutputsAreRemoved(t *testing.T) {
	t.Parallel()
	const hidden = `{"outputs":{"o":{"sensitive":true}}}`
	for in, want := range map[string]string{
		// As Terraform writes it.
		`{"outputs":{"o":{"sensitive":true,"type":"string","value":"SECRET"}}}`:                                                                     `{"outputs":{"o":{"sensitive":true,"type":"string"}}}`,
		`{"outputs":{"o":{"sensitive":false,"type":"string","value":"shown"}}}`:                                                                     `{"outputs":{"o":{"sensitive":false,"type":"string","value":"shown"}}}`,
		`{"outputs":{"o":{"value":{"a":["SECRET"]},"type":["object",{"a":["list","string"]}],"sensitive":true},"p":{"sensitive":false,"value":1}}}`: `{"outputs":{"o":{"sensitive":true,"type":["object",{"a":["list","string"]}]},"p":{"sensitive":false,"value":1}}}`,
		`{"outputs":{"o":{"sensitive":true,"type":["tuple",["string",["map","bool"]]],"value":7}}}`:                                                 `{"outputs":{"o":{"sensitive":true,"type":["tuple",["string",["map","bool"]]]}}}`,
		`{"outputs":{}}`: `{"outputs":{}}`, `{"outputs":null}`: `{"outputs":null}`,
		// Only the literal false declares an output to be public.
		`{"outputs":{"o":{"value":"SECRET"}}}`:                                    hidden,
		`{"outputs":{"o":{"sensitive":null,"value":"SECRET"}}}`:                   hidden,
		`{"outputs":{"o":{"sensitive":"false","value":"SECRET"}}}`:                hidden,
		`{"outputs":{"o":{"sensitive":0,"value":"SECRET"}}}`:                      hidden,
		`{"outputs":{"o":{"Sensitive":false,"value":"SECRET"}}}`:                  hidden,
		`{"outputs":{"o":{"sensitive":false,"value":"SECRET","sensitive":true}}}`: hidden,
		`{"outputs":{"o":{"sensitive":true,"value":"SECRET","sensitive":false}}}`: hidden,
		`{"outputs":{"o":{"\u0073ensitive":true,"value":"SECRET"}}}`:              hidden,
		`{"out\u0070uts":{"o":{"value":"SECRET"}}}`:                               `{"out\u0070uts":{"o":{"sensitive":true}}}`,
		// Everything else of a sensitive output goes too.
		`{"outputs":{"o":{"sensitive":true,"old":"SECRET","value":"SECRET","note":{"value":"SECRET"}}}}`: hidden,
		`{"outputs":{"o":{"sensitive":true,"type":"SECRET","value":"SECRET"}}}`:                          hidden,
		`{"outputs":{"o":{"sensitive":true,"type":["list","SECRET"]}}}`:                                  hidden,
		`{"outputs":{"o":{"sensitive":true,"type":["object",{"a":"SECRET"}]}}}`:                          hidden,
		`{"outputs":{"o":{"sensitive":true,"type":["list","string","SECRET"]}}}`:                         hidden,
		`{"outputs":{"o":{"sensitive":true,"type":["tuple",["SECRET"]]}}}`:                               hidden,
		`{"outputs":{"o":{"sensitive":true,"type":{"value":"SECRET"}}}}`:                                 hidden,
		// Outputs that are not objects, and outputs that are not a map.
		`{"outputs":{"o":"SECRET"}}`:   hidden,
		`{"outputs":{"o":["SECRET"]}}`: hidden,
		`{"outputs":{"o":7}}`:          hidden,
		`{"outputs":"SECRET"}`:         `{"outputs":null}`,
		`{"outputs":7}`:                `{"outputs":null}`,
		`{"outputs":[{"value":"SECRET"},"SECRET",{"sensitive":false,"value":1}]}`: `{"outputs":[{"sensitive":true},{"sensitive":true},{"sensitive":false,"value":1}]}`,
		// In every place.
		`{"outputs":{"p":{"sensitive":false,"value":1}},"outputs":{"o":{"value":"SECRET"}}}`:            `{"outputs":{"p":{"sensitive":false,"value":1}},"outputs":{"o":{"sensitive":true}}}`,
		`{"x":[{"outputs":{"o":{"value":"SECRET"}}}]}`:                                                  `{"x":[{"outputs":{"o":{"sensitive":true}}}]}`,
		`{"outputs":{"o":{"sensitive":false,"value":{"p":{"sensitive":true,"value":"SECRET"},"q":1}}}}`: `{"outputs":{"o":{"sensitive":false,"value":{"p":{"sensitive":true},"q":1}}}}`,
		`{"outputs":{"o":{"sensitive":false,"value":[{"sensitive":"yes","v":"SECRET"}]}}}`:              `{"outputs":{"o":{"sensitive":false,"value":[{"sensitive":true}]}}}`,
		`{"outputs":{"o":{"sensitive":false,"value":{"outputs":{"p":"shown"}}}}}`:                       `{"outputs":{"o":{"sensitive":false,"value":{"outputs":{"p":"shown"}}}}}`,
		// Other members are kept, whatever they are called.
		`{"sensitive":true,"value":"shown"}`: `{"sensitive":true,"value":"shown"}`,
	} {
		if got := payload(t, in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestOldFormIsRedactedToo(t *testing.T) {
	t.Parallel()
	r := decode(t, `{"overall":{"success":true},"dirspaces":[{"path":"a","workspace":"b","success":true,"outputs":[
		{"workflow_step":{"type":"apply"},"success":true,"outputs":{"text":"x","outputs":{"o":{"sensitive":true,"value":"SECRET"}}}}]}]}`)
	if got := string(r.Payloads); got != `{"text":"x","outputs":{"o":{"sensitive":true}}}` {
		t.Errorf("got %s", got)
	}
}

func TestTextsAreMadeReadable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`"\u0000a\u0000"`:               `"\u2400a\u2400"`,
		`"\\u0000"`:                     `"\\u0000"`,
		`"\ud83d\ude00"`:                `"\ud83d\ude00"`,
		`"\ud83d"`:                      `"\ufffd"`,
		`"\udcff\ud83dx"`:               `"\ufffd\ufffdx"`,
		`"\ud83d\u0041"`:                `"\ufffd\u0041"`,
		`"\ud83d\\"`:                    `"\ufffd\\"`,
		`"\uDBFF\uDFFF\u001B[1m"`:       `"\uDBFF\uDFFF\u001B[1m"`,
		"\"a\xffb\xc3\"":                "\"a\uFFFDb\uFFFD\"",
		"\"\xed\xa0\x80\"":              "\"\uFFFD\uFFFD\uFFFD\"",
		"\"é\uFFFD\\n\"":                "\"é\uFFFD\\n\"",
		`1e999`:                         `1e999`,
		`-0.10E+2`:                      `-0.10E+2`,
		` [ 1 , true,{ "a" : null } ] `: `[1,true,{"a":null}]`,
		`{"a":1,"a":2}`:                 `{"a":1,"a":2}`,
		`{"\u0000":1}`:                  `{"\u2400":1}`,
	} {
		if got := payload(t, `{"x":`+in+`}`); got != `{"x":`+want+`}` {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	r := decode(t, body(`{"step":"a\u0000\ud800","success":true,"scope":{"type":"dirspace","dir":"d\u0000","workspace":"w`+"\xff"+`"}}`))
	if s := r.Steps[0]; s.Name != "a␀\uFFFD" || s.Scope.Dir != "d␀" || s.Scope.Workspace != "w\uFFFD" {
		t.Errorf("got %+v", s)
	}
}

func TestDeepestPayloadIsKept(t *testing.T) {
	t.Parallel()
	deep := `{"x":` + strings.Repeat("[", result.MaxDepth-1) + "1" + strings.Repeat("]", result.MaxDepth-1) + `}`
	if got := payload(t, deep); got != deep {
		t.Errorf("got %.100s", got)
	}
}

// drawValue draws a JSON value in which every text is the secret.
func drawValue(t *rapid.T, depth int) any {
	kind := 0
	if depth > 0 {
		kind = rapid.IntRange(0, 3).Draw(t, "kind")
	}
	switch kind {
	case 1:
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) any { return drawValue(t, depth-1) }), 0, 3).Draw(t, "array")
	case 2, 3:
		names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"value", "type", "sensitive", "outputs", "x", "old"}), 0, 4, rapid.ID).Draw(t, "names")
		object := map[string]any{}
		for _, name := range names {
			object[name] = drawValue(t, depth-1)
		}
		return object
	}
	return rapid.SampledFrom([]any{"SECRET", true, 7, nil}).Draw(t, "scalar")
}

// TestNoSecretLeavesOutputsWhateverTheirShape puts secrets everywhere below
// outputs. Nothing there says that it is public, so none may be found.
func TestNoSecretLeavesOutputsWhateverTheirShape(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		value, err := json.Marshal(drawValue(rt, 5))
		if err != nil {
			rt.Fatal(err)
		}
		for _, in := range []string{`{"outputs":` + string(value) + `}`, `{"a":[{"outputs":{"o":` + string(value) + `}}],"text":"x"}`} {
			r, err := result.Decode([]byte(body(step("tf/apply", net, true, in))))
			if err != nil {
				rt.Fatalf("%s: %v", in, err)
			}
			if bytes.Contains(r.Payloads, []byte("SECRET")) || !json.Valid(r.Payloads) {
				rt.Fatalf("%s became %s", in, r.Payloads)
			}
		}
	})
}

// FuzzDecode checks that every body that is taken is kept in a form that can be
// stored and shown, and that this form stays as it is when it is read again.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		body(step("tf/plan", net, true, `{"text":"Plan: 1 to add, 0 to change, 2 to destroy.\n","has_changes":true}`)),
		body(step("tf/apply", net, true, `{"outputs":{"a":{"sensitive":true,"value":"x"},"b":{"sensitive":false,"value":["\u0000\ud800"]}}}`)),
		`{"steps":[],"gates":[{"all_of":["a"],"any_of_count":1,"token":null}]}`,
		`{"overall":{"success":true,"outputs":{"pre":[]}},"dirspaces":[{"path":"a","workspace":"b","success":true,"outputs":[{"workflow_step":{"type":"plan"},"success":true,"outputs":{"plan":"x"}}]}]}`,
		`{"paths":{"a":{"modules":["b"],"failures":{"c":{"msg":"d","lnum":1}}}},"symlinks":{},"success":true}`,
		`{"files":[{"path":"/a","id":"b","changed":true}]}`, `{"config":{"a":[1e9]}}`, `{"msg":"x"}`, `"x"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := result.Decode(text)
		if err != nil {
			return
		}
		end := 0
		var again []string
		for _, s := range r.Steps {
			p := r.Payload(s)
			if s.Offset != end || !json.Valid(p) || !utf8.Valid(p) || p[0] != '{' {
				t.Fatalf("payload %q at %d, want it at %d", p, s.Offset, end)
			}
			end += s.Length
			again = append(again, step("x", net, true, string(p)))
		}
		if end != len(r.Payloads) {
			t.Fatalf("%d bytes of payloads, but the steps have %d", len(r.Payloads), end)
		}
		if r2 := decode(t, body(again...)); !bytes.Equal(r2.Payloads, r.Payloads) {
			t.Fatalf("payloads %q became %q", r.Payloads, r2.Payloads)
		}
		for _, p := range [][]byte{r.Payloads, r.Config, []byte(r.Message)} {
			if bytes.IndexByte(p, 0) >= 0 || bytes.Contains(bytes.ReplaceAll(p, []byte(`\\`), nil), []byte(`\u0000`)) || !utf8.Valid(p) {
				t.Fatalf("kept %q", p)
			}
		}
	})
}
