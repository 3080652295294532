package vcshost

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"unicode"
)

// Reason is the reason why a host refuses a request, as far as the response states
// it.
type Reason int

// The reasons.
const (
	// Unstated: there is no text, or only people can understand it.
	Unstated Reason = iota
	// ByAddress: the host refuses this server's network address. This says nothing
	// about the token.
	ByAddress
	// BySAML: the organisation requires single sign-on, and the token does not have
	// it.
	BySAML
)

// Refusal is an ErrForbidden with the reason that the host states.
type Refusal struct {
	Reason Reason
	// Words is the host's own message in one line: at most MaxWords bytes, without
	// control characters. "***" replaces the token of the request, and every text
	// that looks like a secret. Words is empty if the host sent no text for people.
	Words string
}

// MaxWords is the maximum length of a host's message that is kept, in bytes.
const MaxWords = 300

// Error implements error.
func (r *Refusal) Error() string {
	text := ErrForbidden.Error()
	switch r.Reason {
	case ByAddress:
		text += ": it refuses the network address of this server"
	case BySAML:
		text += ": the organisation asks for single sign-on"
	}
	if r.Words != "" {
		text += "; it says \"" + r.Words + "\""
	}
	return text
}

// Is makes a Refusal an ErrForbidden.
func (r *Refusal) Is(target error) bool { return target == ErrForbidden }

// RefusesAddress reports whether an error is a Refusal ByAddress. Such an error
// says nothing about the token or its owner.
func RefusesAddress(err error) bool {
	var refusal *Refusal
	return errors.As(err, &refusal) && refusal.Reason == ByAddress
}

// refusal reads the reason of a refusal. GitHub states it in its text, and for SAML
// also in a header ("Authenticating to the REST API", GitHub documentation). GitLab
// responds to a banned address with a single word that is not JSON ("User and IP
// rate limits", GitLab documentation: Rack Attack). All its other responses are
// JSON.
func refusal(answer *http.Response, body []byte) *Refusal {
	r := &Refusal{Words: said(answer, body)}
	words := strings.ToLower(r.Words)
	switch {
	case containsAny(words, "ip allow list", "ip address", "your ip ", "from this ip"), words == "forbidden" && !json.Valid(body):
		r.Reason = ByAddress
	case containsAny(words, "saml enforcement", "saml sso", "organization saml", "single sign-on"), answer.Header.Get("X-GitHub-SSO") != "":
		r.Reason = BySAML
	}
	return r
}

// limits are the texts of refusals that are in fact limits. GitHub documents some
// of them ("Rate limits for the REST API", GitHub documentation). The texts about
// abuse detection come from older Enterprise Servers.
var limits = []string{
	"secondary rate limit", "secondary-rate-limits", "api rate limit exceeded", "abuse detection mechanism", "abuse-rate-limits",
	"temporarily blocked from content creation", "too many requests", "requested too many times",
}

// asksForPatience reports whether the text of a refusal says that it is a limit.
func asksForPatience(body []byte) bool {
	return containsAny(strings.ToLower(string(body[:min(len(body), maxRefusal)])), limits...)
}

// maxRefusal is the maximum that is read of a refusal, in bytes.
const maxRefusal = 1 << 16

func containsAny(text string, parts ...string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// said returns the text of a response that is meant for people, in the form of
// Refusal.Words.
func said(answer *http.Response, body []byte) string {
	body = body[:min(len(body), maxRefusal)]
	if answer.Request != nil {
		_, token, _ := strings.Cut(answer.Request.Header.Get("Authorization"), " ")
		if token != "" {
			body = bytes.ReplaceAll(body, []byte(token), []byte(masked))
		}
	}
	return clean(message(body))
}

// message returns the text of a body that is meant for people: a member of the JSON
// of GitHub, GitLab or OAuth, or the body itself if it is plain text.
func message(body []byte) string {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err == nil {
		for _, name := range []string{"message", "error_description", "error"} {
			var text string
			if value, ok := object[name]; !ok {
				continue
			} else if json.Unmarshal(value, &text) != nil {
				text = string(value) // GitLab's message may be an object
			}
			return text
		}
		return ""
	}
	if beginsAsPage(body) {
		return "" // a page for browsers
	}
	return string(body)
}

const masked = "***"

// secrets matches the parts of a request that a host's text may repeat: tokens by
// their prefixes, the text after the name of a secret, user names and passwords in
// addresses, and long texts of letters and digits.
var secrets = regexp.MustCompile(`(?i)\b(?:gh[a-z]|github_pat|gl[a-z]{2,8})[_-][\w.-]{8,}|\beyJ[\w.-]{8,}|` +
	`\b(?:bearer|basic)\s+[\w.~+/=-]{8,}|\b(?:[a-z_]*token|secret|password|code)["']?\s*[=:]\s*["']?[^\s"',;&]+|` +
	`://[^\s/@]+@|[A-Za-z0-9_+/=-]{32,}`)

// clean returns a host's text as one line without secrets, shortened.
func clean(text string) string {
	text = strings.ToValidUTF8(text, "")
	text = strings.Map(func(c rune) rune {
		if unicode.In(c, unicode.C, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return c
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	return shortened(secrets.ReplaceAllString(text, masked))
}

// shortened returns the first MaxWords bytes of a text, or less, so that no
// character is cut in two.
func shortened(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), MaxWords)], "")
}
