package accesstoken_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/credential/accesstoken"
	"github.com/opsplane/opsplane/shared/vcs"
)

var (
	now    = time.Unix(1_750_000_000, 900_000_000)
	domain = accesstoken.Domain{Issuer: "opsplane/1/here/stack", Audience: "opsplane-api"}
)

const kid = "key-1"

func newKey(t testing.TB) (ed25519.PublicKey, ed25519.PrivateKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return public, private
}

// only returns a PublicKeys that knows one key.
func only(public ed25519.PublicKey) accesstoken.PublicKeys {
	return func(id string) (ed25519.PublicKey, error) {
		if id != kid {
			return nil, errUnknown
		}
		return public, nil
	}
}

var errUnknown = errors.New("unknown key")

// holder returns the caller of an API key.
func holder() access.Caller {
	return access.Caller{
		Kind: access.KindAPIKey, User: uuid.NewString(), Key: uuid.NewString(), LastUsed: 7,
		Capabilities: access.Set{access.VCS("github"), access.Installation("42"), access.KVStoreRead},
		Memberships:  []vcs.Installation{{VCS: "github", ID: "42"}},
	}
}

func TestTokenCarriesItsHolder(t *testing.T) {
	public, private := newKey(t)
	for name, change := range map[string]func(*access.Caller){
		"as it is":         func(*access.Caller) {},
		"too many members": func(c *access.Caller) { c.Memberships, c.Partial = nil, true },
		"nothing allowed":  func(c *access.Caller) { c.Capabilities, c.Memberships = access.Set{}, nil },
	} {
		caller := holder()
		change(&caller)
		token, err := domain.Mint(kid, private, caller, now)
		if err != nil {
			t.Fatal(err)
		}
		got, err := domain.Verify(token, now, only(public))
		want := caller
		want.Kind, want.LastUsed, want.Expires = access.KindAccessToken, 0, 1_750_000_060
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, want)
		}
	}
}

func TestTokenEndsAfterAMinuteOrWithItsKey(t *testing.T) {
	public, private := newKey(t)
	for _, c := range []struct {
		keyEnds, want int64
	}{
		{0, 1_750_000_060},
		{1_750_000_061, 1_750_000_060},
		{1_750_000_060, 1_750_000_060},
		{1_750_000_003, 1_750_000_003},
		{1_750_000_001, 1_750_000_001},
	} {
		caller := holder()
		caller.Expires = c.keyEnds
		token, err := domain.Mint(kid, private, caller, now)
		if err != nil {
			t.Fatal(err)
		}
		end := time.Unix(c.want, 0)
		if got, err := domain.Verify(token, end.Add(-time.Nanosecond), only(public)); err != nil || got.Expires != c.want {
			t.Errorf("key ends at %d: just before its end: %d, %v; want it good until %d", c.keyEnds, got.Expires, err, c.want)
		}
		for _, late := range []time.Duration{0, time.Nanosecond, time.Hour} {
			if _, err := domain.Verify(token, end.Add(late), only(public)); !errors.Is(err, accesstoken.ErrInvalid) {
				t.Errorf("key ends at %d: %v after its end: got %v, want ErrInvalid", c.keyEnds, late, err)
			}
		}
	}
}

// forge makes a token with any header, payload and signer.
func forge(t *testing.T, header, payload map[string]any, sign func(text string) []byte) string {
	t.Helper()
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(header) + "." + part(payload)
	return text + "." + base64.RawURLEncoding.EncodeToString(sign(text))
}

func TestHostileTokensAreRefused(t *testing.T) {
	public, private := newKey(t)
	_, otherPrivate := newKey(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	right := func(text string) []byte { return ed25519.Sign(private, []byte(text)) }
	with := func(method jwt.SigningMethod, key any) func(string) []byte {
		return func(text string) []byte {
			signature, err := method.Sign(text, key)
			if err != nil {
				t.Fatal(err)
			}
			return signature
		}
	}
	type m = map[string]any
	header := func(changes m) m {
		h := m{"alg": "EdDSA", "kid": kid, "typ": "JWT"}
		for k, v := range changes {
			h[k] = v
			if v == nil {
				delete(h, k)
			}
		}
		return h
	}
	payload := func(changes m) m {
		p := m{
			"iss": domain.Issuer, "aud": domain.Audience, "sub": "user", "key": "key", "cap": []any{"kv_store_read"},
			"iat": now.Unix(), "exp": now.Unix() + 60,
		}
		for k, v := range changes {
			p[k] = v
			if v == nil {
				delete(p, k)
			}
		}
		return p
	}
	// The forged token is valid if all of its parts are right.
	if _, err := domain.Verify(forge(t, header(nil), payload(nil), right), now, only(public)); err != nil {
		t.Fatalf("a right token is refused: %v", err)
	}
	none := func(string) []byte { return nil }
	for name, token := range map[string]string{
		"algorithm none, no signature":      forge(t, header(m{"alg": "none"}), payload(nil), none),
		"algorithm None, signed":            forge(t, header(m{"alg": "None"}), payload(nil), right),
		"no algorithm":                      forge(t, header(m{"alg": nil}), payload(nil), right),
		"algorithm in lower case":           forge(t, header(m{"alg": "eddsa"}), payload(nil), right),
		"HMAC with the public key":          forge(t, header(m{"alg": "HS256"}), payload(nil), with(jwt.SigningMethodHS256, []byte(public))),
		"HMAC called EdDSA":                 forge(t, header(nil), payload(nil), with(jwt.SigningMethodHS256, []byte(public))),
		"RSA":                               forge(t, header(m{"alg": "RS256"}), payload(nil), with(jwt.SigningMethodRS256, rsaKey)),
		"another key":                       forge(t, header(nil), payload(nil), func(s string) []byte { return ed25519.Sign(otherPrivate, []byte(s)) }),
		"another key under an unknown id":   forge(t, header(m{"kid": "key-2"}), payload(nil), func(s string) []byte { return ed25519.Sign(otherPrivate, []byte(s)) }),
		"unknown id, right key":             forge(t, header(m{"kid": "key-2"}), payload(nil), right),
		"no key id":                         forge(t, header(m{"kid": nil}), payload(nil), right),
		"empty key id":                      forge(t, header(m{"kid": ""}), payload(nil), right),
		"key id is a number":                forge(t, header(m{"kid": 1}), payload(nil), right),
		"no signature":                      forge(t, header(nil), payload(nil), none),
		"signature cut short":               forge(t, header(nil), payload(nil), func(s string) []byte { return right(s)[:63] }),
		"signature of zeros":                forge(t, header(nil), payload(nil), func(string) []byte { return make([]byte, 64) }),
		"other issuer":                      forge(t, header(nil), payload(m{"iss": "opsplane/1/here/other"}), right),
		"no issuer":                         forge(t, header(nil), payload(m{"iss": nil}), right),
		"other audience":                    forge(t, header(nil), payload(m{"aud": "opsplane-runner"}), right),
		"no audience":                       forge(t, header(nil), payload(m{"aud": nil}), right),
		"no end":                            forge(t, header(nil), payload(m{"exp": nil}), right),
		"end of another type":               forge(t, header(nil), payload(m{"exp": "tomorrow"}), right),
		"ended":                             forge(t, header(nil), payload(m{"exp": now.Unix()}), right),
		"not yet begun":                     forge(t, header(nil), payload(m{"nbf": now.Unix() + 60}), right),
		"no subject":                        forge(t, header(nil), payload(m{"sub": nil}), right),
		"no API key":                        forge(t, header(nil), payload(m{"key": ""}), right),
		"unknown capability":                forge(t, header(nil), payload(m{"cap": []any{"everything"}}), right),
		"membership of another form":        forge(t, header(nil), payload(m{"mem": []any{"42"}}), right),
		"empty":                             "",
		"two dots":                          "..",
		"not base64":                        "!.!.!",
		"JSON":                              `{"alg":"none"}`,
		"an API key":                        "opk_00xjSaw5fN0yUpkF3SIPxP0sVRUGpHxOdgzoUasR5mPKbWzjeMJn3ppffnouQirFWhpOjOBFOniMipWS6RVRve2EsaUg",
		"encryption's five parts":           "a.b.c.d.e",
		"standard base64, with plus":        strings.Replace(forge(t, header(nil), payload(nil), right), ".", ".+", 1),
		"padded":                            forge(t, header(nil), payload(nil), right) + "==",
		"something behind":                  forge(t, header(nil), payload(nil), right) + ".e30",
		"key in the header (jwk, jku, x5c)": forge(t, header(m{"kid": "key-2", "jku": "https://evil.example", "jwk": m{"kty": "OKP"}}), payload(nil), right),
	} {
		got, err := domain.Verify(token, now, only(public))
		if !errors.Is(err, accesstoken.ErrInvalid) {
			t.Errorf("%s: got %+v, %v; want ErrInvalid", name, got, err)
		}
		if err != nil && len(err.Error()) > 80 {
			t.Errorf("%s: the error may quote the token: %v", name, err)
		}
	}
}

func TestEveryChangedCharacterIsNoticed(t *testing.T) {
	public, private := newKey(t)
	token, err := domain.Mint(kid, private, holder(), now)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(token) {
		for _, c := range []byte("AQgw.") {
			changed := []byte(token)
			if changed[i] == c {
				continue
			}
			changed[i] = c
			if _, err := domain.Verify(string(changed), now, only(public)); !errors.Is(err, accesstoken.ErrInvalid) {
				t.Fatalf("character %d of %d changed to %q: got %v, want ErrInvalid", i, len(token), c, err)
			}
		}
	}
}

func TestNoKeyIsAskedForBeforeTheFormIsRight(t *testing.T) {
	_, private := newKey(t)
	token, err := domain.Mint(kid, private, holder(), now)
	if err != nil {
		t.Fatal(err)
	}
	unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "garbage", "a.b", "a.b.c", unsigned, strings.ToUpper(token)} {
		_, err := domain.Verify(text, now, func(string) (ed25519.PublicKey, error) {
			t.Errorf("a key was asked for, for %q", text)
			return nil, errUnknown
		})
		if !errors.Is(err, accesstoken.ErrInvalid) {
			t.Errorf("%q: got %v, want ErrInvalid", text, err)
		}
	}
}

func TestFailureToFindTheKeyIsPassedOn(t *testing.T) {
	_, private := newKey(t)
	token, err := domain.Mint(kid, private, holder(), now)
	if err != nil {
		t.Fatal(err)
	}
	failure := errors.New("storage is down")
	_, err = domain.Verify(token, now, func(string) (ed25519.PublicKey, error) { return nil, fmt.Errorf("read: %w", failure) })
	if !errors.Is(err, failure) || !errors.Is(err, accesstoken.ErrInvalid) {
		t.Errorf("got %v, want one that wraps both", err)
	}
}

// The authorizer refuses a header of more than 8 KiB, and the gateway one of more
// than 10,240 bytes.
func TestLargestTokenFitsIntoAHeader(t *testing.T) {
	_, private := newKey(t)
	caller := holder()
	caller.Capabilities, caller.Memberships = nil, nil
	for i := range access.MaxCapabilities {
		caller.Capabilities = append(caller.Capabilities, access.Installation(vcs.ID(fmt.Sprintf("%019d", i))))
	}
	for i := range access.MaxMemberships {
		caller.Memberships = append(caller.Memberships, vcs.Installation{VCS: "github", ID: vcs.ID(fmt.Sprintf("%019d", i))})
	}
	token, err := domain.Mint(uuid.NewString(), private, caller, now)
	if err != nil {
		t.Fatal(err)
	}
	if n := len("Bearer " + token); n > 8<<10 {
		t.Errorf("got a header of %d bytes, want at most 8 KiB", n)
	}
	authorizerContext, err := caller.Context()
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(authorizerContext)
	if err != nil || len(b) > 7<<10 {
		t.Errorf("got a context of %d bytes, %v; want at most 7 KiB of the gateway's 8", len(b), err)
	}
}

func BenchmarkMint(b *testing.B) {
	_, private := newKey(b)
	caller := holder()
	for b.Loop() {
		if _, err := domain.Mint(kid, private, caller, now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	public, private := newKey(b)
	token, err := domain.Mint(kid, private, holder(), now)
	if err != nil {
		b.Fatal(err)
	}
	keys := only(public)
	for b.Loop() {
		if _, err := domain.Verify(token, now, keys); err != nil {
			b.Fatal(err)
		}
	}
}
