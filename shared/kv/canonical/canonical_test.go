package canonical_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/kv/canonical"
)

func TestTextIsThatOfJSONB(t *testing.T) {
	tests := []struct {
		in, text string
		size     int
	}{
		{`null`, `null`, 4},
		{` true `, `true`, 4},
		{`"x"`, `"x"`, 3},
		{`{"a":1,"b":"x"}`, `{"a":1,"b":"x"}`, 18},
		{"{ \"a\" :\t1 ,\r\n\"b\": \"x\" }", `{"a":1,"b":"x"}`, 18},
		{`[ ]`, `[]`, 2},
		{`{ }`, `{}`, 2},
		{`[1,2,[3]]`, `[1,2,[3]]`, 11},
		// Members: ordered by length, then by bytes; the last member of a name is
		// kept.
		{`{"bb":1,"a":2,"c":3,"aa":4,"":5}`, `{"":5,"a":2,"c":3,"aa":4,"bb":1}`, 41},
		{`{"a":1,"a":2}`, `{"a":2}`, 8},
		{`{"a":1,"b":0,"a":3,"a":{"z":1,"y":2,"z":3}}`, `{"a":{"y":2,"z":3},"b":0}`, 31},
		{`{"é":1,"z":2,"zzz":3}`, `{"z":2,"é":1,"zzz":3}`, 26},
		{`{"\u0061":1,"a":2}`, `{"a":2}`, 8},
		{`{"a\n":1,"bbb":2,"\"\"":3}`, `{"\"\"":3,"a\n":1,"bbb":2}`, 31},
		// Numbers.
		{`1e3`, `1000`, 4},
		{`1E-2`, `0.01`, 4},
		{`1.50`, `1.50`, 4},
		{`-0`, `0`, 1},
		{`-0.00`, `0.00`, 4},
		{`0.0`, `0.0`, 3},
		{`-0e9`, `0`, 1},
		{`0e-3`, `0.000`, 5},
		{`1.5e1`, `15`, 2},
		{`1.50e1`, `15.0`, 4},
		{`1.5e-1`, `0.15`, 4},
		{`-12.5e+2`, `-1250`, 5},
		{`100e-2`, `1.00`, 4},
		{`0.001e3`, `1`, 1},
		{`0.0010e2`, `0.10`, 4},
		{`12345678901234567890.123456789`, `12345678901234567890.123456789`, 30},
		{`1e999`, `1` + strings.Repeat("0", 999), 1000},
		{`1e-999`, `0.` + strings.Repeat("0", 998) + `1`, 1001},
		{`0e99999999999999999999`, `0`, 1},
		// Strings.
		{`"\/\b\f\n\r\t\"\\"`, `"/\b\f\n\r\t\"\\"`, 17},
		{`"\u0001\u001F\u007f"`, `"\u0001\u001f` + "\x7f" + `"`, 15},
		{`"<&>\u003c"`, `"<&><"`, 6},
		{`"\u00e9\ud83d\ude00"`, `"é😀"`, 4},
		{`"\u2028"`, "\"\u2028\"", 3},
	}
	for _, tt := range tests {
		v, err := canonical.Parse([]byte(tt.in))
		if err != nil {
			t.Errorf("Parse(%s): %v", tt.in, err)
			continue
		}
		if string(v.Text) != tt.text || v.Size != tt.size {
			t.Errorf("Parse(%s) = %s size %d, want %s size %d", tt.in, v.Text, v.Size, tt.text, tt.size)
		}
	}
}

func TestRefusalsSayWhy(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	if _, err := canonical.Parse([]byte(deep(canonical.MaxDepth))); err != nil {
		t.Errorf("the greatest depth: %v", err)
	}
	tests := []struct{ in, id, says string }{
		{``, "INVALID_JSON", "expected a value"},
		{`nul`, "INVALID_JSON", "expected a value"},
		{`1 2`, "INVALID_JSON", "nothing may follow"},
		{`[1,]`, "INVALID_JSON", "expected a value"},
		{`[1 2]`, "INVALID_JSON", "expected ',' or ']'"},
		{`{"a":1,}`, "INVALID_JSON", "name in double quotes"},
		{`{a:1}`, "INVALID_JSON", "name in double quotes"},
		{`{"a" 1}`, "INVALID_JSON", "expected ':'"},
		{`{"a":1`, "INVALID_JSON", "expected ',' or '}'"},
		{`"a`, "INVALID_JSON", "no end"},
		{`"a\`, "INVALID_JSON", "no end"},
		{`"\x"`, "INVALID_JSON", "unknown escape"},
		{`"\u12"`, "INVALID_JSON", "four hexadecimal"},
		{"\"\n\"", "INVALID_JSON", "must be escaped"},
		{"\"\xff\"", "INVALID_JSON", "not valid UTF-8"},
		{"\"\xed\xa0\x80\"", "INVALID_JSON", "not valid UTF-8"},
		{`"\ud800"`, "INVALID_JSON", "half of a surrogate pair"},
		{`"\ud800\u0041"`, "INVALID_JSON", "half of a surrogate pair"},
		{`"\ude00\ud83d"`, "INVALID_JSON", "half of a surrogate pair"},
		{`"\u0000"`, "INVALID_JSON", "cannot be stored"},
		{`01`, "INVALID_JSON", "may not begin with 0"},
		{`-`, "INVALID_JSON", "needs digits"},
		{`1.`, "INVALID_JSON", "after the point"},
		{`1e`, "INVALID_JSON", "in its exponent"},
		{`+1`, "INVALID_JSON", "expected a value"},
		{`NaN`, "INVALID_JSON", "expected a value"},
		{`1e1000`, "NUMBER_TOO_LONG", "1000 digits"},
		{`1e-1000`, "NUMBER_TOO_LONG", "1000 digits"},
		{`0e-1000`, "NUMBER_TOO_LONG", "1000 digits"},
		{`1e99999999999999999999`, "NUMBER_TOO_LONG", "1000 digits"},
		{strings.Repeat("1", 1001), "NUMBER_TOO_LONG", "1000 digits"},
		{deep(canonical.MaxDepth + 1), "JSON_TOO_DEEP", "256 deep"},
		{"[" + strings.Repeat("1e999,", 10_000) + "1]", "VALUE_TOO_LARGE", "several idx"},
	}
	for _, tt := range tests {
		v, err := canonical.Parse([]byte(tt.in))
		var f *fault.Error
		if !errors.As(err, &f) || f.ID != tt.id || !strings.Contains(f.Detail, tt.says) {
			t.Errorf("Parse(%.60q) = %.60q, %v; want %s saying %q", tt.in, v.Text, err, tt.id, tt.says)
		}
	}
}

func TestDecodeString(t *testing.T) {
	for in, want := range map[string]string{
		`""`: "", ` "a/b" `: "a/b", `"\u0000\"\\\n"`: "\x00\"\\\n", `"\u00e9\ud83d\ude00é"`: "é😀é", `"\ufffd"`: "\ufffd",
	} {
		if got, err := canonical.DecodeString([]byte(in)); err != nil || got != want {
			t.Errorf("DecodeString(%s) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{``, `1`, `null`, `"a`, `"a" 1`, `"\ud800"`, "\"\xff\""} {
		if got, err := canonical.DecodeString([]byte(in)); err == nil {
			t.Errorf("DecodeString(%q) = %q, want a fault", in, got)
		}
	}
}

// TestWorkIsBoundedByDepthTimesLength parses the worst text that a caller can send:
// at every depth an object whose members must all be moved.
func TestWorkIsBoundedByDepthTimesLength(t *testing.T) {
	const depth = canonical.MaxDepth - 1
	var b bytes.Buffer
	b.WriteString(strings.Repeat(`{"b":`, depth))
	b.WriteString(`"` + strings.Repeat("x", 5<<20) + `"`)
	b.WriteString(strings.Repeat(`,"a":1}`, depth))
	start := time.Now()
	if _, err := canonical.Parse(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}

func BenchmarkParse(b *testing.B) {
	chunk := fmt.Sprintf(`{"chk":"sha256:%064d","data":"%s"}`, 0, strings.Repeat("QUJD", 34134))
	var object strings.Builder
	object.WriteString(`{"resources":[`)
	for i := range 20_000 {
		if i > 0 {
			object.WriteByte(',')
		}
		fmt.Fprintf(&object, `{"type":"aws_instance","address":"module.web[%d].aws_instance.this","change":{"before":null,"actions":["create"],"after":{"tags":{"Name":"wéb \"%d\""},"n":%d.5}}}`, i, i, i)
	}
	object.WriteString(`]}`)
	worst := strings.Repeat(`{"b":`, 255) + `"` + strings.Repeat("x", 5<<20) + `"` + strings.Repeat(`,"a":1}`, 255)
	members := "{" + strings.Repeat(`"a":1,`, 800_000) + `"a":1}`
	for name, text := range map[string]string{"chunk": chunk, "plan": object.String(), "worst": worst, "members": members} {
		b.Run(fmt.Sprintf("%s/%dKiB", name, len(text)>>10), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				v, err := canonical.Parse([]byte(text))
				if err != nil {
					b.Fatal(err)
				}
				if !json.Valid(v.Text) {
					b.Fatal("not JSON")
				}
			}
		})
	}
}
