package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
	"github.com/opsplane/opsplane/shared/vcs"
)

// heard is a request as a route received it: the route, and the bytes of the key
// and the installation. JSON writes a []byte in base64, so every byte is kept.
type heard struct {
	Route             string
	Installation, Key []byte
}

// listener returns the function's routes with a key. Each route returns what it
// received.
func listener() *httpapi.Lambda {
	var list []httpapi.Route
	for _, route := range routes(nil, nil) {
		if strings.HasSuffix(route.Pattern, "/{key...}") {
			pattern := route.Pattern
			list = append(list, httpapi.Route{
				Pattern: pattern, Rule: access.Rule{Public: true},
				Endpoint: httpapi.JSON(decodeKey, func(_ context.Context, call httpapi.Call, key string) (heard, error) {
					return heard{pattern, []byte(call.Installation.ID), []byte(key)}, nil
				}),
			})
		}
	}
	return httpapi.NewLambda(list, slog.New(slog.DiscardHandler), time.Now, keyInOneSegment)
}

// unescape is a second implementation of percent-decoding.
func unescape(text string) (string, bool) {
	const hex = "0123456789abcdef"
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			b.WriteByte(text[i])
			continue
		}
		if i+2 >= len(text) {
			return "", false
		}
		high, low := strings.Index(hex, strings.ToLower(text[i+1:i+2])), strings.Index(hex, strings.ToLower(text[i+2:i+3]))
		if high < 0 || low < 0 {
			return "", false
		}
		b.WriteByte(byte(high<<4 | low))
		i += 2
	}
	return b.String(), true
}

// FuzzKeyOfPath checks every text after the slash in front of a key. The function
// must return 200 with exactly the bytes of the text, from the requested route, or
// refuse with 400 and an id.
func FuzzKeyOfPath(f *testing.F) {
	l := listener()
	asks := []struct{ method, path string }{
		{"GET", "/key"},
		{"PUT", "/key"},
		{"DELETE", "/key"},
		{"PUT", "/cas/key"},
		{"GET", "/count/key"},
		{"GET", "/size/key"},
		{"GET", "/iter"},
		{"POST", "/artifact/key"},
		{"GET", "/artifact/key"},
	}
	f.Fuzz(func(t *testing.T, route uint8, mapped bool, sent string) {
		ask := asks[int(route)%len(asks)]
		e := httpapitest.Event(t, ask.method, base, nil, "")
		e.Path = base + ask.path + "/" + sent
		e.Resource = "/api/v1/{vcs}/kv/{installation_id}" + ask.path + "/{key+}"
		if sent == "" {
			e.Resource = strings.TrimSuffix(e.Resource, "/{key+}")
		}
		if mapped { // by a custom domain; the gateway leaves its base path in the path
			e.Path = "/api/v1" + e.Path
		}
		resp, err := l.Handle(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		key, ok := unescape(sent)
		if ok && utf8.ValidString(key) && !strings.ContainsAny(sent, "?#") && !strings.ContainsFunc(sent, control) {
			want := heard{ask.method + " /api/v1/{vcs}/kv/{installation_id}" + ask.path + "/{key...}", []byte("1"), []byte(key)}
			var got heard
			if err := json.Unmarshal([]byte(resp.Body), &got); err != nil || resp.StatusCode != http.StatusOK ||
				got.Route != want.Route || string(got.Key) != key || string(got.Installation) != "1" {
				t.Fatalf("%s %q: got %d %s (%+v), want %+v", ask.method, e.Path, resp.StatusCode, resp.Body, got, want)
			}
			return
		}
		checkRefusal(t, resp.StatusCode, resp.Body)
	})
}

// control reports whether no HTTP request line can hold the character.
func control(c rune) bool { return c < ' ' || c == 0x7f }

// checkRefusal fails unless the response is a 400 or 413 with an id and a sentence.
func checkRefusal(t *testing.T, status int, body string) {
	t.Helper()
	var p struct{ ID, Data string }
	err := json.Unmarshal([]byte(body), &p)
	if status != http.StatusBadRequest && status != http.StatusRequestEntityTooLarge || err != nil || p.ID == "" || p.Data == "" {
		t.Fatalf("got %d %.500q, want a 400 or 413 that explains itself", status, body)
	}
}

// FuzzPath checks that no path makes the function fail, redirect, or read a key or
// an installation that the path does not hold.
func FuzzPath(f *testing.F) {
	l := listener()
	methods := []string{"GET", "PUT", "DELETE", "POST", "PATCH", "OPTIONS", "CONNECT"}
	f.Fuzz(func(t *testing.T, index uint8, path string) {
		method := methods[int(index)%len(methods)]
		e := httpapitest.Event(t, method, base, nil, "")
		e.Path = path
		resp, err := l.Handle(t.Context(), e)
		if path == "" {
			if err == nil {
				t.Fatal("no request was answered")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		switch resp.StatusCode {
		case http.StatusForbidden, http.StatusNotFound:
			if resp.Body != "" {
				t.Fatalf("%q %q: got %d %q, want no body", method, path, resp.StatusCode, resp.Body)
			}
		case http.StatusOK:
			var got heard
			if err := json.Unmarshal([]byte(resp.Body), &got); err != nil {
				t.Fatal(err)
			}
			checkHeard(t, method, path, got)
		default:
			checkRefusal(t, resp.StatusCode, resp.Body)
		}
	})
}

// checkHeard fails unless the path is the path of the route with this installation
// and key.
func checkHeard(t *testing.T, method, path string, got heard) {
	t.Helper()
	plain, _ := unescape(path)
	pattern, ok := strings.CutPrefix(got.Route, method+" ")
	before, behind, _ := strings.Cut(strings.TrimSuffix(pattern, "/{key...}"), "{installation_id}")
	for _, system := range vcs.All() {
		vcs := string(system)
		want := strings.Replace(before, "{vcs}", vcs, 1) + string(got.Installation) + behind
		if ok && (plain == want+"/"+string(got.Key) || plain == want && len(got.Key) == 0) && !strings.Contains(string(got.Installation), "/") {
			return
		}
	}
	t.Fatalf("%s %q was heard as %+v with key %q of installation %q", method, path, got.Route, got.Key, got.Installation)
}
