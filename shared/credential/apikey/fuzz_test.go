package apikey

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// FuzzParse checks that a text that is read as a key is written as the same text,
// and that only a key's own text is that key. A change of up to four neighbouring
// characters is detected offline: the checksum detects every error of 32 bits or
// fewer.
func FuzzParse(f *testing.F) {
	own := Secret{User: uuid.Nil.String(), ID: "0f0e0d0c-0b0a-0908-0706-050403020100"}
	copy(own.secret[:], "a secret of thirty-two bytes....")
	genuine := own.text()
	stored := Key{User: own.User, ID: own.ID, hash: own.hash()}
	f.Fuzz(func(t *testing.T, text string, at uint8, change uint32) {
		s, err := Parse(text)
		if err == nil && s.text() != text {
			t.Fatalf("%q was read as %+v, which is written %q", text, s, s.text())
		}
		if err == nil && s.Matches(stored) != (text == genuine) {
			t.Fatalf("%q opens what %q was made for", text, genuine)
		}
		four := binary.BigEndian.AppendUint32(nil, change)
		start := int(at) % (Length - len(four) + 1)
		damaged := genuine[:start] + string(four) + genuine[start+len(four):]
		if _, err := Parse(damaged); (err == nil) != (damaged == genuine) {
			t.Fatalf("%q, of %q, is read as a key (%v)", damaged, genuine, err)
		}
		// An invented body with a right checksum is another key, or none.
		body := Prefix + text
		if s, err := Parse(body + checksum(body)); err == nil && (s.text() != body+checksum(body) || s.Matches(stored) != strings.HasPrefix(genuine, body)) {
			t.Fatalf("the body %q makes %+v", body, s)
		}
	})
}
