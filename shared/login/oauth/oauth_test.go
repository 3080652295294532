package oauth_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/oauth"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

const verifier = "0123456789012345678901234567890123456789012"

func secret(context.Context) (string, error) { return "s3cret", nil }

// host responds at every path with the status, type and body. It keeps the form of
// the last request.
func host(t *testing.T, status int, kind, body string) (address string, asked *url.Values) {
	t.Helper()
	asked = &url.Values{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		*asked = r.PostForm
		asked.Set("path", r.Method+" "+r.URL.Path)
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

func TestBrowserIsSentWithStateAndChallenge(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte(verifier))
	for name, c := range map[string]struct {
		client *oauth.Client
		base   string
		scope  string
	}{
		"github": {oauth.GitHub("https://github.example.com", "Iv1.x", secret), "https://github.example.com/login/oauth/authorize", ""},
		"gitlab": {oauth.GitLab("https://gitlab.example.com", "abc", secret), "https://gitlab.example.com/oauth/authorize", "read_api"},
	} {
		text := c.client.AuthorizeURL("st", verifier, "https://ops.example.com/cb")
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		if base, _, _ := strings.Cut(text, "?"); base != c.base || q.Get("scope") != c.scope || q.Get("state") != "st" ||
			q.Get("response_type") != "code" || q.Get("redirect_uri") != "https://ops.example.com/cb" ||
			q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) {
			t.Errorf("%s: got %s", name, text)
		}
		if strings.Contains(text, verifier) || strings.Contains(text, "s3cret") {
			t.Errorf("%s: the address holds a secret: %s", name, text)
		}
	}
}

func TestCodeAndRefreshTokenAreExchanged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind, body string
		refresh    bool
		want       grant.Grant
		expires    bool
	}{
		"GitHub, form":            {"application/x-www-form-urlencoded", "access_token=ghu_1&refresh_token=ghr_1&expires_in=28800&token_type=bearer", false, grant.Grant{Access: "ghu_1", Refresh: "ghr_1"}, true},
		"GitHub, no expiry":       {"application/x-www-form-urlencoded", "access_token=gho_1&token_type=bearer", false, grant.Grant{Access: "gho_1"}, false},
		"GitLab":                  {"application/json; charset=utf-8", `{"access_token":"gl1","refresh_token":"r1","expires_in":7200,"token_type":"Bearer"}`, false, grant.Grant{Access: "gl1", Refresh: "r1"}, true},
		"refresh":                 {"application/json", `{"access_token":"gl2","refresh_token":"r2","expires_in":7200,"token_type":"Bearer"}`, true, grant.Grant{Access: "gl2", Refresh: "r2"}, true},
		"refresh, same as before": {"application/json", `{"access_token":"gl2","expires_in":7200,"token_type":"Bearer"}`, true, grant.Grant{Access: "gl2", Refresh: "r0"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, asked := host(t, 200, c.kind, c.body)
			client := oauth.GitLab(address, "abc", secret)
			var got grant.Grant
			var err error
			before := time.Now()
			if c.refresh {
				got, err = client.Refresh(t.Context(), "r0")
			} else {
				got, err = client.Exchange(t.Context(), "the-code", verifier, "https://ops.example.com/cb")
			}
			if err != nil || got.Access != c.want.Access || got.Refresh != c.want.Refresh {
				t.Errorf("got %q %q, %v; want %q %q", got.Access, got.Refresh, err, c.want.Access, c.want.Refresh)
			}
			if c.expires != got.ExpiresAt.After(before) || !c.expires && !got.ExpiresAt.IsZero() {
				t.Errorf("got expiry %v, want one: %t", got.ExpiresAt, c.expires)
			}
			want := url.Values{"path": {"POST /oauth/token"}, "client_id": {"abc"}, "client_secret": {"s3cret"}}
			if c.refresh {
				want["grant_type"], want["refresh_token"] = []string{"refresh_token"}, []string{"r0"}
			} else {
				want["grant_type"], want["code"] = []string{"authorization_code"}, []string{"the-code"}
				want["code_verifier"], want["redirect_uri"] = []string{verifier}, []string{"https://ops.example.com/cb"}
			}
			if asked.Encode() != want.Encode() {
				t.Errorf("the host was asked %v, want %v", asked, want)
			}
		})
	}
}

func TestRefusalIsToldFromFailureAndNeitherRepeatsASecret(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status     int
		kind, body string
		refused    bool
	}{
		"code used before":        {200, "application/json", `{"error":"bad_verification_code","error_description":"the-code"}`, true},
		"code used before, form":  {200, "application/x-www-form-urlencoded", "error=bad_verification_code&error_description=the-code", true},
		"verifier does not match": {400, "application/json", `{"error":"invalid_grant","error_description":"the-code"}`, true},
		"wrong client secret":     {200, "application/json", `{"error":"incorrect_client_credentials","error_description":"s3cret"}`, false},
		"down":                    {502, "text/html", `the-code s3cret`, false},
		"not JSON":                {200, "application/json", `the-code`, false},
		"no token":                {200, "application/json", `{"the-code":1}`, false},
	} {
		address, _ := host(t, c.status, c.kind, c.body)
		_, err := oauth.GitHub(address, "Iv1.x", secret).Exchange(t.Context(), "the-code", verifier, "")
		if err == nil || errors.Is(err, grant.ErrRefused) != c.refused || errors.Is(err, vcshost.ErrNoAnswer) == c.refused {
			t.Errorf("%s: got %v, want a refusal: %t, or no response", name, err, c.refused)
		}
		if err != nil && (strings.Contains(err.Error(), "the-code") || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), verifier)) {
			t.Errorf("%s: the error repeats what was sent: %v", name, err)
		}
	}
	if _, err := oauth.GitHub("http://127.0.0.1:1", "Iv1.x", secret).Refresh(t.Context(), "the-token"); err == nil || errors.Is(err, grant.ErrRefused) || strings.Contains(err.Error(), "the-token") {
		t.Errorf("no host: got %v, want a failure that says nothing", err)
	}
}

func TestSecretsDoNotFollowARedirectElsewhere(t *testing.T) {
	t.Parallel()
	asked := 0
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer elsewhere.Close()
	host := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer host.Close()
	for _, client := range []*oauth.Client{oauth.GitHub(host.URL, "Iv1.x", secret), oauth.GitLab(host.URL, "abc", secret)} {
		if _, err := client.Refresh(t.Context(), "the-token"); !errors.Is(err, vcshost.ErrNoAnswer) || strings.Contains(err.Error(), "the-token") {
			t.Errorf("refresh: %v", err)
		}
		if _, err := client.Exchange(t.Context(), "the-code", verifier, ""); !errors.Is(err, vcshost.ErrNoAnswer) || strings.Contains(err.Error(), "the-code") {
			t.Errorf("exchange: %v", err)
		}
	}
	if asked != 0 {
		t.Errorf("another address was asked %d times", asked)
	}
}
