package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
)

// echo returns a function whose routes return the requested key in hexadecimal
// digits.
func echo() *httpapi.Lambda {
	var list []httpapi.Route
	for _, route := range routes(nil, nil) {
		if strings.Contains(route.Pattern, "{key...}") {
			list = append(list, httpapi.Route{
				Pattern: route.Pattern, Rule: access.Rule{Public: true},
				Endpoint: httpapi.JSON(decodeKey, func(_ context.Context, _ httpapi.Call, key string) (string, error) {
					return hex.EncodeToString([]byte(key)), nil
				}),
			})
		}
	}
	return httpapi.NewLambda(list, slog.New(slog.DiscardHandler), time.Now, keyInOneSegment)
}

// asked returns the key that the routes read from the path as it was sent.
func asked(t testing.TB, l *httpapi.Lambda, method, sent string) string {
	t.Helper()
	resp, err := l.Handle(context.Background(), httpapitest.Event(t, method, sent, nil, ""))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: got %d %s, %v", method, sent, resp.StatusCode, resp.Body, err)
	}
	key, err := hex.DecodeString(strings.Trim(resp.Body, `"`))
	if err != nil {
		t.Fatal(err)
	}
	return string(key)
}

// encode writes a key in one of the ways that clients may use: any byte may be
// escaped, or unescaped if a path allows that.
func encode(t *rapid.T, key string) string {
	const raw = "/.+-_~!$&'()*,;=:@ abcxyzABCXYZ0189\"<>[]\\^`{|}"
	var b strings.Builder
	for i := range len(key) {
		if c := key[i]; strings.IndexByte(raw, c) >= 0 && rapid.Bool().Draw(t, "raw") {
			b.WriteByte(c)
		} else if rapid.Bool().Draw(t, "lower") {
			fmt.Fprintf(&b, "%%%02x", c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func TestEveryKeyComesThroughHoweverItIsEncoded(t *testing.T) {
	l := echo()
	routes := []struct{ method, path string }{
		{"GET", "/key"},
		{"PUT", "/key"},
		{"DELETE", "/key"},
		{"PUT", "/cas/key"},
		{"GET", "/count/key"},
		{"GET", "/size/key"},
		{"GET", "/iter"},
		{"GET", "/artifact/key"},
		{"POST", "/artifact/key"},
	}
	odd := rapid.SampledFrom([]string{"/", "//", ".", "..", "/./", "/../", "%", "%25", "%2F", "+", "?", "#", "key", "é", "\x00", "€", "&", "=", " "})
	rapid.Check(t, func(rt *rapid.T) {
		key := strings.Join(rapid.SliceOfN(rapid.OneOf(odd, rapid.StringN(1, 3, -1)), 0, 6).Draw(rt, "parts"), "")
		key = strings.ToValidUTF8(key, "")
		route := rapid.SampledFrom(routes).Draw(rt, "route")
		sent := base + route.path + "/" + encode(rt, key)
		if got := asked(t, l, route.method, sent); got != key {
			rt.Fatalf("%s %s: got %q, want %q", route.method, sent, got, key)
		}
	})
	for _, route := range routes {
		for _, sent := range []string{base + route.path, base + route.path + "/"} {
			if got := asked(t, l, route.method, sent); got != "" {
				t.Errorf("%s %s: got %q, want the empty key", route.method, sent, got)
			}
		}
	}
}

func TestSegmentNeedsNoCleaning(t *testing.T) {
	for in, want := range map[string]string{
		"a": "a", "a/b": "a%2Fb", ".": "%2E", "..": "%2E%2E", "%2e": "%2E", "...": "...", "a/../b": "a%2F..%2Fb", "%zz": "%25zz", "+%2B": "++",
	} {
		if got := segment(in); got != want {
			t.Errorf("segment(%s) = %s, want %s", in, got, want)
		}
	}
}

func TestOtherPathsAreLeftAlone(t *testing.T) {
	for _, path := range []string{"/", "/api/v1/github/kv/1/commit", "/api/v1/github/kv//key/a", "/api/v1/github/kv/1/keys/a", "/api/v1/github/kv/1", "/x/api/v1/github/kv/1/key/a"} {
		if u, ok := rewrite(&url.URL{Path: path}); ok {
			t.Errorf("%s became %s", path, u.EscapedPath())
		}
	}
}
