package vcshost_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// bearer adds a token to every request, below the client that follows redirects.
type bearer struct{ next http.RoundTripper }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer s3cr3t")
	return b.next.RoundTrip(r)
}

func TestNoTokenLeavesTheHost(t *testing.T) {
	t.Parallel()
	asked := 0
	// Only its port differs from the host's. TestOriginIsComparedInOneForm has
	// other names.
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer stranger.Close()
	var host *httptest.Server
	host = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, stranger.URL, http.StatusFound)
		case "/away-with-the-body":
			http.Redirect(w, r, stranger.URL, http.StatusTemporaryRedirect)
		case "/here":
			http.Redirect(w, r, host.URL+"/moved", http.StatusMovedPermanently)
		}
	}))
	defer host.Close()
	client := &http.Client{Transport: bearer{vcshost.Transport(host.URL + "/api/v3")}}
	for _, path := range []string{"/away", "/away-with-the-body"} {
		answer, err := client.Post(host.URL+path, "text/plain", strings.NewReader("refresh_token=s3cr3t"))
		if err == nil {
			_ = answer.Body.Close()
		}
		if !errors.Is(err, vcshost.ErrElsewhere) {
			t.Errorf("%s: %v", path, err)
		}
	}
	answer, err := client.Get(host.URL + "/here")
	if err != nil || answer.StatusCode != http.StatusOK || answer.Request.URL.Path != "/moved" {
		t.Fatalf("a redirect of the host to itself: %v", err)
	}
	_ = answer.Body.Close()
	for _, address := range []string{"", "no address", "://", "https://" + strings.TrimPrefix(host.URL, "http://"), "http://127.0.0.1:1"} {
		if answer, err := (&http.Client{Transport: vcshost.Transport(address)}).Get(host.URL); !errors.Is(err, vcshost.ErrElsewhere) {
			t.Errorf("configured as %q: %v, %v", address, answer, err)
		}
	}
	if asked != 0 {
		t.Errorf("another address was asked %d times", asked)
	}
}

func TestOriginIsComparedInOneForm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		address, asked string
		same           bool
	}{
		{"https://git.example.com/api/v3", "https://GIT.example.com:443/api/v3/user", true},
		{"http://git.example.com:80", "http://git.example.com/x", true},
		{"https://git.example.com", "http://git.example.com", false},
		{"https://git.example.com", "https://git.example.com:8443", false},
		{"https://git.example.com", "https://git.example.com.evil.example", false},
		{"https://git.example.com", "https://git.example.com@evil.example", false},
		{"https://example.com", "https://git.example.com", false},
	} {
		request, err := http.NewRequest(http.MethodGet, c.asked, nil)
		if err != nil {
			t.Fatal(err)
		}
		passed := false
		_, err = vcshost.Confined(c.address, through(func() { passed = true })).RoundTrip(request)
		if passed != c.same || errors.Is(err, vcshost.ErrElsewhere) == c.same {
			t.Errorf("%s at %s: asked %t, %v", c.asked, c.address, passed, err)
		}
	}
}

type through func()

func (f through) RoundTrip(*http.Request) (*http.Response, error) {
	f()
	return &http.Response{Body: http.NoBody}, nil
}
