package result_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/run/result"
)

// sized makes a body of about size bytes, as a run of n dirspaces sends it.
func sized(size, dirspaces int) []byte {
	line := "  \x1b[32m+\x1b[0m resource \"aws_instance\" \"web\" { name = \"wéb\" }\n"
	text := strings.Repeat(line, max(1, size/dirspaces/180)) + "Plan: 1 to add, 0 to change, 2 to destroy.\n"
	quoted, _ := json.Marshal(map[string]any{"text": text, "plan": text, "has_changes": true, "visible_on": "always"})
	steps := make([]string, 0, 2*dirspaces)
	for n := range dirspaces {
		scope := fmt.Sprintf(`{"type":"dirspace","dir":"prod/app-%d","workspace":"default"}`, n)
		steps = append(steps, step("tf/init", scope, true, `{"text":"ok","visible_on":"error"}`), step("tf/plan", scope, true, string(quoted)))
	}
	return []byte(body(steps...))
}

func TestMemoryIsAFewTimesTheBody(t *testing.T) {
	small := []byte(body(strings.Repeat(`{"step":"a","success":true,"scope":{"type":"x"}},`, 120_000) + step("a", net, true, "{}")))
	for name, text := range map[string][]byte{
		"one dirspace": sized(5<<20, 1), "5,000 dirspaces": sized(5<<20, 5000), "the smallest steps": small,
		"white space": []byte(body(`{"step":"a","success":true,"scope":` + net + `,"payload":{"x":` + strings.Repeat(" ", 5<<20) + `1}}`)),
		"outputs":     []byte(body(step("tf/apply", net, true, `{"outputs":{"a":{"sensitive":false,"value":[`+strings.Repeat(`{"sensitive":true,"v":1},`, 200_000)+`1]}}}`))),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := result.Decode(text)
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > allowed*uint64(len(text)) {
			t.Errorf("%s: %d steps of %d bytes allocated %d bytes", name, len(r.Steps), len(text), took)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct {
		name            string
		size, dirspaces int
	}{{"10KB", 10 << 10, 3}, {"5MB", 5 << 20, 20}, {"5MB-5000-dirspaces", 5 << 20, 5000}} {
		text := sized(c.size, c.dirspaces)
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := result.Decode(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
