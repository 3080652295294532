package accesstoken_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/api/access"
)

// fixed is a key that is the same in every run, so that a stored corpus stays
// useful.
var fixed = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

// FuzzForged checks that only the token that was made verifies, however small a
// change is. The edits replace, remove or repeat bytes of it.
func FuzzForged(f *testing.F) {
	caller := access.Caller{User: "u", Key: "k", Capabilities: access.Set{access.KVStoreRead}}
	genuine, err := domain.Mint(kid, fixed, caller, now)
	if err != nil {
		f.Fatal(err)
	}
	keys := only(fixed.Public().(ed25519.PublicKey))
	f.Fuzz(func(t *testing.T, whole string, from, to uint16, insert string) {
		start := int(from) % (len(genuine) + 1)
		end := start + int(to)%(len(genuine)+1-start)
		for _, text := range []string{whole, genuine[:start] + insert + genuine[end:]} {
			got, err := domain.Verify(text, now, keys)
			if (err == nil) != (text == genuine) || err != nil && !reflect.DeepEqual(got, access.Caller{}) {
				t.Fatalf("%q: got %+v, %v", text, got, err)
			}
		}
	})
}

// FuzzSigned checks anything that is signed with the right key and the right
// algorithm. It verifies only if it is a token of this kind, and only for the time
// that it states.
func FuzzSigned(f *testing.F) {
	keys := only(fixed.Public().(ed25519.PublicKey))
	f.Fuzz(func(t *testing.T, header, payload string) {
		body := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
		text := body + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(fixed, []byte(body)))
		got, err := domain.Verify(text, now, keys)
		if err != nil {
			return
		}
		var h struct{ Alg, Kid string }
		if err := json.Unmarshal([]byte(header), &h); err != nil || h.Alg != "EdDSA" || h.Kid != kid {
			t.Fatalf("a token with the header %q verifies (%v)", header, err)
		}
		var c struct {
			Iss, Sub, Key string
			Aud           any
			Exp           json.Number
		}
		d := json.NewDecoder(strings.NewReader(payload))
		if err := d.Decode(&c); err != nil || c.Iss != domain.Issuer || c.Sub == "" || c.Sub != got.User || c.Key != got.Key || got.Key == "" {
			t.Fatalf("a token with the payload %q is %+v (%v)", payload, got, err)
		}
		if exp, err := c.Exp.Float64(); err != nil || exp <= float64(now.Unix()) || got.Kind != access.KindAccessToken || got.Expires < now.Unix() {
			t.Fatalf("a token with the payload %q is %+v", payload, got)
		}
		late := now.AddDate(1000, 0, 0)
		if _, err := domain.Verify(text, late, keys); err == nil && got.Expires <= late.Unix() {
			t.Fatalf("a token with the payload %q verifies at %v", payload, late)
		}
	})
}
