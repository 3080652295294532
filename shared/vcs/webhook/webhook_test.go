package webhook_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/webhook"
)

func TestSignatureIsThatOfTheBodyAndTheSecret(t *testing.T) {
	t.Parallel()
	// The example of GitHub's documentation.
	const secret, body = "It's a Secret to Everybody", "Hello, World!"
	const good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	if !webhook.Signed(secret, []byte(body), good) {
		t.Error("the right signature is refused")
	}
	for name, signed := range map[string]bool{
		"another body":   webhook.Signed(secret, []byte(body+" "), good),
		"another secret": webhook.Signed("x", []byte(body), good),
		"no secret":      webhook.Signed("", []byte(body), good),
		"truncated":      webhook.Signed(secret, []byte(body), good[:len(good)-2]),
		"no digits":      webhook.Signed(secret, []byte(body), "sha256="),
		"no signature":   webhook.Signed(secret, []byte(body), ""),
		"SHA-1":          webhook.Signed(secret, []byte(body), "sha1="+good[7:47]),
		"no scheme":      webhook.Signed(secret, []byte(body), good[7:]),
	} {
		if signed {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestTokenNamesItsInstallation(t *testing.T) {
	t.Parallel()
	key, other := []byte(strings.Repeat("k", 32)), []byte(strings.Repeat("o", 32))
	for _, id := range []string{"1", "77", "9223372036854775807"} {
		token, ok := webhook.Token(key, vcs.ID(id))
		if !ok || len(token) != 64 {
			t.Fatalf("%s: token %q, %t", id, token, ok)
		}
		if got, ok := webhook.Installation(key, token); !ok || string(got) != id {
			t.Errorf("%s: read as %q, %t", id, got, ok)
		}
		if got, ok := webhook.Installation(other, token); ok {
			t.Errorf("%s: another server reads it as %q", id, got)
		}
		if got, ok := webhook.Installation(nil, token); ok {
			t.Errorf("%s: without a key it is read as %q", id, got)
		}
	}
	for _, id := range []string{"", "0", "-1", "x", "9223372036854775808"} {
		if token, ok := webhook.Token(key, vcs.ID(id)); ok {
			t.Errorf("%q has the token %s", id, token)
		}
	}
}

func TestForgedTokensAreRefused(t *testing.T) {
	t.Parallel()
	key := []byte(strings.Repeat("k", 32))
	good, _ := webhook.Token(key, "77")
	rapid.Check(t, func(t *rapid.T) {
		i := rapid.IntRange(0, len(good)-1).Draw(t, "place")
		digit := rapid.SampledFrom([]string{"0", "1", "7", "9", "a", "f", "g", ""}).Draw(t, "digit")
		forged := good[:i] + digit + good[i+1:]
		if id, ok := webhook.Installation(key, forged); ok && forged != good {
			t.Fatalf("%s is read as %s", forged, id)
		}
	})
}
