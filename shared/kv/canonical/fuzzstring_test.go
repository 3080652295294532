package canonical_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/opsplane/opsplane/shared/kv/canonical"
)

// FuzzString checks that DecodeString returns the same text as encoding/json,
// except that it refuses halves of surrogate pairs. It also checks that every
// string can be read back from its canonical text.
func FuzzString(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		if utf8.Valid(text) {
			written := canonical.AppendString(nil, string(text))
			if got, err := canonical.DecodeString(written); err != nil || got != string(text) {
				t.Fatalf("%q is written %s, which is %q (%v)", text, written, got, err)
			}
		}
		got, err := canonical.DecodeString(text)
		if err != nil {
			return
		}
		var want *string
		if err := json.Unmarshal(text, &want); err != nil || want == nil || *want != got || !utf8.ValidString(got) {
			t.Fatalf("%q was read as %q, want %v (%v)", text, got, want, err)
		}
	})
}
