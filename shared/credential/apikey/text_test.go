package apikey

import (
	"bytes"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func TestTextRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.SliceOfN(rapid.Byte(), idSize, idSize)
		s := Secret{
			User:   uuid.UUID(id.Draw(t, "user")).String(),
			ID:     uuid.UUID(id.Draw(t, "id")).String(),
			secret: [secretSize]byte(rapid.SliceOfN(rapid.Byte(), secretSize, secretSize).Draw(t, "secret")),
		}
		got, err := Parse(s.text())
		if err != nil || got != s {
			t.Fatalf("got %v, %v; want %v", got, err, s)
		}
	})
}

// Secret scanners depend on the form, so it must not change. The wanted text was
// computed without this code.
func TestTextIsStable(t *testing.T) {
	s := Secret{User: "00112233-4455-6677-8899-aabbccddeeff", ID: "0f0e0d0c-0b0a-0908-0706-050403020100"}
	copy(s.secret[:], bytes.Repeat([]byte{0x5a}, secretSize))
	const want = "opk_00xjSaw5fN0yUpkF3SIPxP0sVRUGpHxOdgzoUasR5mPKbWzjeMJn3ppffnouQirFWhpOjOBFOniMipWS6RVRve2EsaUg"
	if got := s.text(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTextIsOneWordOfFixedLength(t *testing.T) {
	form := regexp.MustCompile(`^opk_[0-9A-Za-z]{92}$`)
	for range 100 {
		s, err := newSecret(uuid.NewString())
		if err != nil {
			t.Fatal(err)
		}
		if text := s.text(); !form.MatchString(text) || len(text) != Length {
			t.Errorf("got %q, want a text of the form %s", text, form)
		}
	}
}

func TestEverySingleWrongCharacterIsFoundOffline(t *testing.T) {
	s, err := newSecret(uuid.NewString())
	if err != nil {
		t.Fatal(err)
	}
	text := s.text()
	for i := range len(text) {
		for _, c := range []byte("0Az9_- \xff") {
			wrong := []byte(text)
			if wrong[i] == c {
				continue
			}
			wrong[i] = c
			if got, err := Parse(string(wrong)); err == nil {
				t.Errorf("character %d changed to %q: got %v, want ErrMalformed", i, c, got)
			}
		}
	}
}

func TestOtherTextsAreMalformed(t *testing.T) {
	s, err := newSecret(uuid.NewString())
	if err != nil {
		t.Fatal(err)
	}
	text := s.text()
	// This body has a number that needs more than 64 bytes, and a right checksum.
	big62 := Prefix + strings.Repeat("z", bodyWidth)
	overflow := new(big.Int).Lsh(big.NewInt(1), 8*bodySize)
	least := Prefix + encode(overflow, bodyWidth)
	for name, text := range map[string]string{
		"empty":                    "",
		"prefix alone":             Prefix,
		"one character less":       text[:Length-1],
		"one character more":       text + "0",
		"space before":             " " + text,
		"line break behind":        text + "\n",
		"other prefix":             "opx_" + text[len(Prefix):],
		"upper-case prefix":        strings.ToUpper(Prefix) + text[len(Prefix):],
		"number too large":         big62 + checksum(big62),
		"least number too large":   least + checksum(least),
		"two characters exchanged": text[:10] + text[11:12] + text[10:11] + text[12:],
	} {
		if name == "two characters exchanged" && text[10] == text[11] {
			continue
		}
		if got, err := Parse(text); err == nil {
			t.Errorf("%s: got %v, want ErrMalformed", name, got)
		}
	}
}

func TestNoTwoSecretsAreAlike(t *testing.T) {
	user, seen := uuid.NewString(), map[[secretSize]byte]bool{}
	for range 1000 {
		s, err := newSecret(user)
		if err != nil {
			t.Fatal(err)
		}
		if seen[s.secret] {
			t.Fatal("got a secret twice")
		}
		seen[s.secret] = true
	}
}

func TestOnlyTheVeryKeyMatches(t *testing.T) {
	s, err := newSecret(uuid.NewString())
	if err != nil {
		t.Fatal(err)
	}
	right := Key{User: s.User, ID: s.ID, hash: s.hash()}
	if !s.Matches(right) {
		t.Error("got no match of the key's own secret")
	}
	for name, change := range map[string]func(*Key){
		"no key at all":         func(k *Key) { *k = Key{} },
		"no hash":               func(k *Key) { k.hash = nil },
		"hash cut short":        func(k *Key) { k.hash = k.hash[:31] },
		"hash with more":        func(k *Key) { k.hash = append(slices.Clone(k.hash), 0) },
		"hash of zeros":         func(k *Key) { k.hash = make([]byte, 32) },
		"secret in place of it": func(k *Key) { k.hash = s.secret[:] },
		"other user":            func(k *Key) { k.User = uuid.NewString() },
		"other id":              func(k *Key) { k.ID = uuid.NewString() },
	} {
		k := right
		change(&k)
		if s.Matches(k) {
			t.Errorf("%s: got a match", name)
		}
	}
	for bit := range 256 {
		k := right
		k.hash = slices.Clone(right.hash)
		k.hash[bit/8] ^= 1 << (bit % 8)
		if s.Matches(k) {
			t.Errorf("bit %d of the hash is wrong: got a match", bit)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	s, err := newSecret(uuid.NewString())
	if err != nil {
		b.Fatal(err)
	}
	text := s.text()
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
