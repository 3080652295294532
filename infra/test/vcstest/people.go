package vcstest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// People is GitHub and GitLab on one server, for logins of people. It gives codes to browsers,
// accepts each code once and only with the verifier of its challenge, and says who the person
// is. For a refresh token it returns another grant. Then that refresh token and its access
// token are no longer valid, as at both hosts ("Refreshing user access tokens", GitHub
// documentation; "OAuth 2.0 identity provider API", GitLab documentation). Set the fields only
// while no request runs.
type People struct {
	*httptest.Server
	// Person is the person who uses the browser.
	Person Person
	// Down makes the API fail. The exchange of codes still works.
	Down bool
	// Refreshed, if it is set, is called after a grant was refreshed and before the response is
	// sent. In it, a test can let others act.
	Refreshed func()

	gate

	mu      sync.Mutex
	codes   map[string]granted
	refresh string // the valid refresh token
	token   string // the valid access token
}

// Person is an account and what the account can see.
type Person struct {
	ID            int
	Login         string
	Installations []int
}

type granted struct{ challenge, redirect string }

// PersonToken is the first token of the person. PersonRefresh is its refresh token. All later
// tokens begin with these texts.
const (
	PersonToken   = "host-token-of-the-person"
	PersonRefresh = "host-refresh-token"
)

// NewPeople starts a server that ends with the test.
func NewPeople(t testing.TB) *People {
	t.Helper()
	v := &People{codes: map[string]granted{}, Person: Person{ID: 583231, Login: "ann", Installations: []int{1, 2}}, refresh: PersonRefresh, token: PersonToken}
	mux := http.NewServeMux()
	for _, path := range []string{"/login/oauth/access_token", "/oauth/token"} {
		mux.HandleFunc("POST "+path, v.exchange)
	}
	for _, prefix := range []string{"", "/api/v4"} {
		mux.HandleFunc("GET "+prefix+"/user", v.answer(func(http.ResponseWriter, *http.Request) any {
			return map[string]any{"id": v.Person.ID, "login": v.Person.Login, "username": v.Person.Login, "avatar_url": "https://a.example/1"}
		}))
	}
	mux.HandleFunc("GET /user/installations", v.answer(func(w http.ResponseWriter, r *http.Request) any {
		return map[string]any{"installations": v.page(w, r)}
	}))
	mux.HandleFunc("GET /api/v4/groups", v.answer(func(w http.ResponseWriter, r *http.Request) any { return v.page(w, r) }))
	v.Server = httptest.NewServer(v.behind("", mux))
	t.Cleanup(v.Close)
	return v
}

// page returns one page of the person's installations, and states the next page in the headers
// of both hosts.
func (v *People) page(w http.ResponseWriter, r *http.Request) []map[string]int {
	list := []map[string]int{}
	for _, id := range cut(w, r, v.Person.Installations) {
		list = append(list, map[string]int{"id": id})
	}
	if next := w.Header().Get("X-Next-Page"); next != "" {
		w.Header().Set("Link", fmt.Sprintf(`<%s%s?page=%s&per_page=%s>; rel="next"`, v.URL, r.URL.Path, next, r.FormValue("per_page")))
	}
	return list
}

func (v *People) answer(what func(http.ResponseWriter, *http.Request) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v.mu.Lock()
		defer v.mu.Unlock()
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if v.Down || token != v.token {
			refuse(w, http.StatusUnauthorized, "Bad credentials: "+PersonToken)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(what(w, r))
	}
}

// Consent gives the person's consent at the address to which the browser was sent. It returns
// the query with which the browser comes back.
func (v *People) Consent(t testing.TB, address string) url.Values {
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

func (v *People) exchange(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.FormValue("grant_type") == "refresh_token" {
		v.next(w, r)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	code := r.FormValue("code")
	want, ok := v.codes[code]
	delete(v.codes, code)
	if !ok || want.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) || want.redirect != r.FormValue("redirect_uri") || r.FormValue("client_secret") != "s3cret" {
		fmt.Fprint(w, `{"error":"bad_verification_code"}`)
		return
	}
	grant(w, v.token, v.refresh)
}

// next refreshes the grant.
func (v *People) next(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	if r.FormValue("refresh_token") != v.refresh || r.FormValue("client_secret") != "s3cret" {
		v.mu.Unlock()
		fmt.Fprint(w, `{"error":"bad_refresh_token"}`)
		return
	}
	v.refresh += "+"
	v.token += "+"
	token, refresh := v.token, v.refresh
	v.mu.Unlock()
	if v.Refreshed != nil {
		v.Refreshed()
	}
	grant(w, token, refresh)
}

func grant(w http.ResponseWriter, token, refresh string) {
	fmt.Fprintf(w, `{"access_token":%q,"refresh_token":%q,"expires_in":28800,"token_type":"bearer"}`, token, refresh)
}
