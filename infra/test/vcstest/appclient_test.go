package vcstest_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/opsplane/opsplane/infra/test/vcstest"
)

// appClient returns a function that sends requests of the App, for the installation 42. A
// response that is no success fails the test.
func appClient(t *testing.T, g *vcstest.GitHub) func(method, path, body string) string {
	t.Helper()
	block, _ := pem.Decode([]byte(g.Key))
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signed, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.RegisteredClaims{
		Issuer: strconv.Itoa(vcstest.AppID), IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Minute)),
	}).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ Token string }
	if err := json.Unmarshal(send(t, signed, "POST", g.API+"/app/installations/42/access_tokens", "{}"), &made); err != nil {
		t.Fatal(err)
	}
	return func(method, path, body string) string {
		t.Helper()
		return string(send(t, made.Token, method, g.API+path, body))
	}
}

// send sends a request with a token, and returns the body of the response. A response that is
// no success fails the test.
func send(t *testing.T, token, method, address, body string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode > 299 {
		t.Fatalf("%s %s: %s %s, %v", method, address, resp.Status, text, err)
	}
	return text
}
