package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// vcs is GitHub and GitLab on one server: it gives codes to browsers, takes each
// once with the verifier of its challenge, and says who the person is.
type vcs struct {
	*httptest.Server
	mu     sync.Mutex
	codes  map[string]granted
	person person
	// down makes the API fail, but not the exchange of codes.
	down bool
}

// person is who is at the browser.
type person struct {
	id            int
	login         string
	installations []int
}

type granted struct{ challenge, redirect string }

const hostToken = "host-token-of-the-person"

func newVCS(t *testing.T) *vcs {
	t.Helper()
	v := &vcs{codes: map[string]granted{}, person: person{id: 583231, login: "ann", installations: []int{1, 2}}}
	mux := http.NewServeMux()
	for _, path := range []string{"/login/oauth/access_token", "/oauth/token"} {
		mux.HandleFunc("POST "+path, v.exchange)
	}
	for _, prefix := range []string{"", "/api/v4"} {
		mux.HandleFunc("GET "+prefix+"/user", v.answer(func(*http.Request) any {
			return map[string]any{"id": v.person.id, "login": v.person.login, "username": v.person.login, "avatar_url": "https://a.example/1"}
		}))
	}
	mux.HandleFunc("GET /user/installations", v.answer(func(r *http.Request) any {
		return map[string]any{"installations": v.page(r)}
	}))
	mux.HandleFunc("GET /api/v4/groups", v.answer(func(r *http.Request) any { return v.page(r) }))
	v.Server = httptest.NewServer(mux)
	t.Cleanup(v.Close)
	return v
}

func (v *vcs) page(r *http.Request) []map[string]int {
	n, _ := strconv.Atoi(r.FormValue("page"))
	size, _ := strconv.Atoi(r.FormValue("per_page"))
	list := []map[string]int{}
	ids := v.person.installations
	for _, id := range ids[min(len(ids), (n-1)*size):min(len(ids), n*size)] {
		list = append(list, map[string]int{"id": id})
	}
	return list
}

func (v *vcs) answer(what func(*http.Request) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.down || r.Header.Get("Authorization") != "Bearer "+hostToken {
			http.Error(w, hostToken, http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(what(r))
	}
}

// consent is the person's yes at the address to which the browser was sent. It
// answers the query with which the browser comes back.
func (v *vcs) consent(t *testing.T, address string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil || !strings.HasPrefix(address, v.URL) || !slices.Contains([]string{"/login/oauth/authorize", "/oauth/authorize"}, u.Path) {
		t.Fatalf("the browser was sent to %s, want the host", address)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	code := fmt.Sprintf("code%d", len(v.codes))
	q := u.Query()
	v.codes[code] = granted{q.Get("code_challenge"), q.Get("redirect_uri")}
	return url.Values{"code": {code}, "state": {q.Get("state")}}
}

func (v *vcs) exchange(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	code := r.FormValue("code")
	want, ok := v.codes[code]
	delete(v.codes, code)
	if !ok || want.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) || want.redirect != r.FormValue("redirect_uri") || r.FormValue("client_secret") != "s3cret" {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"error":"bad_verification_code"}`)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token":%q,"refresh_token":"host-refresh-token","expires_in":28800,"token_type":"bearer"}`, hostToken)
}
