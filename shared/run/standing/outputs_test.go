package standing_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/run/standing"
)

// TestValueIsKeptOnlyOfAnOutputThatSaysThatItIsNotSensitive plants a secret in outputs
// that do not say so.
func TestValueIsKeptOnlyOfAnOutputThatSaysThatItIsNotSensitive(t *testing.T) {
	t.Parallel()
	got := standing.NewOutputs([]byte(`{"a":{"sensitive":true,"value":"planted"},"b":{"value":"planted"},"c":{"sensitive":"false","value":"planted"},
		"d":"planted","e":{"sensitive":null,"value":"planted"},"f":{"sensitive":false,"value":["shown"]}}`))
	text, err := json.Marshal(got)
	if err != nil || strings.Contains(string(text), "planted") || !strings.Contains(string(text), `"value":["shown"]`) || len(got.List) != 6 {
		t.Errorf("got %s, %v", text, err)
	}
	for _, output := range got.List[:5] {
		if !output.Sensitive {
			t.Errorf("%s does not count as sensitive", output.Name)
		}
	}
}

func TestOutputsKeepToTheirLimits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		object, all := map[string]any{}, rapid.IntRange(0, 60).Draw(t, "outputs")
		for i := range all {
			name := fmt.Sprintf("%03d%s", i, strings.Repeat("n", rapid.IntRange(0, 2000).Draw(t, "name")))
			object[name] = map[string]any{"sensitive": false, "value": strings.Repeat("v", rapid.IntRange(0, 6000).Draw(t, "value"))}
		}
		text, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		got := standing.NewOutputs(text)
		if len(got.List)+got.Omitted != all {
			t.Fatalf("%d are listed and %d are omitted of %d", len(got.List), got.Omitted, all)
		}
		names, values := 0, 0
		for _, o := range got.List {
			names, values = names+len(o.Name), values+len(o.Value)
			if (o.Value == nil) != o.TooLarge {
				t.Fatalf("%.10s has the value %.10s, too large: %t", o.Name, o.Value, o.TooLarge)
			}
		}
		if names > 32<<10 || values > 32<<10 {
			t.Fatalf("names of %d bytes and values of %d bytes are kept", names, values)
		}
	})
}
