package vcshost_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func TestRefusalsAreReadByTheirWords(t *testing.T) {
	t.Parallel()
	const limited = vcshost.Reason(-1)
	for name, c := range map[string]struct {
		body   string
		header http.Header
		want   vcshost.Reason
	}{
		"nothing said":                {"", nil, vcshost.Unstated},
		"permission":                  {`{"message":"Resource not accessible by integration"}`, nil, vcshost.Unstated},
		"GitLab's permission":         {`{"message":"403 Forbidden"}`, nil, vcshost.Unstated},
		"GitLab's scope":              {`{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"api"}`, nil, vcshost.Unstated},
		"suspended":                   {`{"message":"This installation has been suspended"}`, nil, vcshost.Unstated},
		"page of a proxy":             {`<html><body>Your IP address is blocked</body></html>`, nil, vcshost.Unstated},
		"IP allow list":               {"{\"message\":\"Although you appear to have the correct authorization credentials, the `acme` organization has an IP allow list enabled, and your IP address is not permitted to access this resource.\"}", nil, vcshost.ByAddress},
		"GitLab's banned address":     {"Forbidden\n", nil, vcshost.ByAddress},
		"GitLab's JSON of one word":   {`"Forbidden"`, nil, vcshost.Unstated},
		"SAML by words":               {`{"message":"Resource protected by organization SAML enforcement. You must grant your OAuth token access to this organization."}`, nil, vcshost.BySAML},
		"SAML by header":              {`{"message":"Forbidden"}`, http.Header{"X-Github-Sso": {"required; url=https://github.com/orgs/acme/sso"}}, vcshost.BySAML},
		"secondary limit":             {`{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If you reach out to GitHub Support for help, please include the request ID C620:D8D4."}`, nil, limited},
		"limit in plain text":         {`You Have Exceeded A SECONDARY RATE LIMIT`, nil, limited},
		"limit of content":            {`{"message":"You have exceeded a secondary rate limit and have been temporarily blocked from content creation. Please retry your request again later."}`, nil, limited},
		"abuse detection":             {`{"message":"You have triggered an abuse detection mechanism. Please wait a few minutes before you try again."}`, nil, limited},
		"link to the documentation":   {`{"message":"x","documentation_url":"https://docs.github.com/free-pro-team@latest/rest/overview/resources-in-the-rest-api#secondary-rate-limits"}`, nil, limited},
		"primary limit of an address": {`{"message":"API rate limit exceeded for 192.0.2.7. (But here's the good news: Authenticated requests get a higher rate limit.)"}`, nil, limited},
	} {
		err := vcshost.ReadRefusal("ask", &http.Response{StatusCode: http.StatusForbidden, Header: c.header}, []byte(c.body))
		var limit *vcshost.Limited
		var refusal *vcshost.Refusal
		switch {
		case c.want == limited && (!errors.As(err, &limit) || limit.RetryAfter != time.Minute):
			t.Errorf("%s: %v, want a limit of a minute", name, err)
		case c.want != limited && (!errors.As(err, &refusal) || refusal.Reason != c.want || !errors.Is(err, vcshost.ErrForbidden)):
			t.Errorf("%s: %v, want reason %d", name, err, c.want)
		}
	}
}

func TestHostsWordsAreOneBoundedLineWithoutSecrets(t *testing.T) {
	t.Parallel()
	const token = "s3cr3t-of-the-request"
	asked := &http.Request{Header: http.Header{"Authorization": {"Bearer " + token}}}
	for _, c := range [][2]string{
		{`{"message":"You may not"}`, "You may not"},
		{`{"error":"insufficient_scope","error_description":"It needs api"}`, "It needs api"},
		{`{"error":"insufficient_scope"}`, "insufficient_scope"},
		{`{"message":{"base":["not you"]}}`, `{"base":["not you"]}`},
		{`{"documentation_url":"https://a.example"}`, ""},
		{`<!doctype html><p>You may not</p>`, ""},
		{"one\r\ntwo\x1b[31m\x00three\u2028four\u202efive", "one two [31m three four five"},
		{"\xff\xfebroken", "broken"},
		{`{"message":"Bad token: ` + token + `!"}`, "Bad ***"},
		{`{"message":"you sent ghs_16C7e42F292c6912E7710c838347Ae178B4a"}`, "you sent ***"},
		{`{"message":"you sent github_pat_11AAAAAAA0abcdefghij_klmnop"}`, "you sent ***"},
		{`{"message":"you sent glpat-xxxxyyyyzzzz11112222"}`, "you sent ***"},
		{`{"message":"you sent eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxIn0.c2ln"}`, "you sent ***"},
		{`{"message":"Authorization: Basic dXNlcjpwYXNzd29yZA== is none"}`, "Authorization: *** is none"},
		{`{"message":"see https://ann:hunter2@git.example.com/x"}`, "see https***git.example.com/x"},
		{`{"message":"access_token=abc&x=1, password: hunter2"}`, "***&x=1, ***"},
		{`{"message":"key 0123456789abcdef0123456789abcdef01234567 is wrong"}`, "key *** is wrong"},
	} {
		body, want := c[0], c[1]
		err := vcshost.ReadRefusal("ask", &http.Response{StatusCode: http.StatusForbidden, Request: asked}, []byte(body))
		var refusal *vcshost.Refusal
		if !errors.As(err, &refusal) || refusal.Words != want {
			t.Errorf("%q: got %v, want %q", body, err, want)
		}
	}
	for _, body := range []string{strings.Repeat("é ", 1<<20), `{"message":"` + strings.Repeat("日 ", 20_000) + `"}`} {
		err := vcshost.ReadRefusal("ask", &http.Response{StatusCode: http.StatusForbidden}, []byte(body))
		var refusal *vcshost.Refusal
		if !errors.As(err, &refusal) || len(refusal.Words) > vcshost.MaxWords || !utf8.ValidString(refusal.Words) {
			t.Errorf("%.20q…: got %d bytes", body, len(refusal.Words))
		}
	}
	err := vcshost.ReadRefusal("ask", &http.Response{StatusCode: http.StatusUnauthorized, Request: asked}, []byte(`{"message":"Bad credentials: `+token+`"}`))
	if !errors.Is(err, vcshost.ErrRefused) || !strings.Contains(err.Error(), "Bad credentials: ***") {
		t.Errorf("refused: %v", err)
	}
}

func TestReasonOfARefusalIsSaid(t *testing.T) {
	t.Parallel()
	for reason, want := range map[vcshost.Reason]string{
		vcshost.Unstated: "suspended", vcshost.ByAddress: "network address", vcshost.BySAML: "SAML",
	} {
		err := vcshost.Fault(vcs.GitHub, &vcshost.Refusal{Reason: reason, Words: "words of the host"})
		told, _, _ := strings.Cut(err.Error(), "the host does not allow the request")
		if !strings.Contains(told, "HOST_FORBIDDEN") || !strings.Contains(told, want) || strings.Contains(told, "words of the host") {
			t.Errorf("reason %d: the caller is told %q, want %q and no word of the host's", reason, told, want)
		}
		if !strings.Contains(err.Error(), "words of the host") {
			t.Errorf("reason %d: the host's words are not for the log: %v", reason, err)
		}
	}
}
