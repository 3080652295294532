package httpapi

import "testing"

func TestWholeNumberMayBeWrittenInAnyWay(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"7": 7, "7.0": 7, "7e0": 7, "0.7e1": 7, "-12426.0": -12426, "-0.0": 0, "1E3": 1000} {
		if got, ok := wholeNumber([]byte(text), -32768, 32767); !ok || got != want {
			t.Errorf("%s: got %d and %t, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"7.5", "7e-1", "32768", "1e5", "1e999999999", "0.000000000000000000001", `"7"`, `"7.0"`, "null", "true", "[7.0]", "{}", "", "7.", "07"} {
		if got, ok := wholeNumber([]byte(text), -32768, 32767); ok {
			t.Errorf("%s was read as %d", text, got)
		}
	}
}
