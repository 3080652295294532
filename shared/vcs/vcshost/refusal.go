package vcshost

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"unicode"

	"github.com/opsplane/opsplane/shared/vcs/shorten"
)

// Reason is why a host refuses, as far as its words tell.
type Reason int

// The reasons. Of Unstated nothing is known but what people can read in the words.
const (
	Unstated Reason = iota
	// ByAddress: the host refuses this server's network address, whatever the token.
	ByAddress
	// BySAML: the organisation asks for single sign-on, which the token lacks.
	BySAML
)

// Refusal is an ErrForbidden, with what the host says of it.
type Refusal struct {
	Reason Reason
	// Words are the host's own, in one line: at most MaxWords bytes, without
	// control characters, and with "***" where the token of the request stood, or
	// what looks like a secret. Empty if the host said nothing that people can read.
	Words string
}

// MaxWords bounds the words of a host that are kept, in bytes.
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

// RefusesAddress reports whether an error is a Refusal ByAddress. It says nothing
// of the token, nor of whose it is.
func RefusesAddress(err error) bool {
	var refusal *Refusal
	return errors.As(err, &refusal) && refusal.Reason == ByAddress
}

// refusal reads why an answer refuses. GitHub tells by its words, and for SAML by
// a header too ("Authenticating to the REST API", GitHub documentation). GitLab
// answers an address that it has banned with one word that is no JSON ("User and
// IP rate limits", GitLab documentation: Rack Attack), and all else with JSON.
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

// limits are the texts of refusals that are limits in truth. GitHub promises
// nothing but the words of some ("Rate limits for the REST API", GitHub
// documentation); those of abuse detection are of older Enterprise Servers.
var limits = []string{
	"secondary rate limit", "secondary-rate-limits", "api rate limit exceeded", "abuse detection mechanism", "abuse-rate-limits",
	"temporarily blocked from content creation", "too many requests", "requested too many times",
}

// asksForPatience reports whether a refusal is a limit by its words.
func asksForPatience(body []byte) bool {
	return containsAny(strings.ToLower(shorten.Head(string(body), maxRefusal)), limits...)
}

// maxRefusal bounds what is looked at of a refusal, in bytes.
const maxRefusal = 1 << 16

func containsAny(text string, parts ...string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// said is what the host says to people in an answer, clean.
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

// message finds the text for people: GitHub's and GitLab's JSON, and OAuth's; or
// the body, where it is plain text.
func message(body []byte) string {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err == nil {
		for _, name := range []string{"message", "error_description", "error"} {
			var text string
			if value, ok := object[name]; !ok {
				continue
			} else if json.Unmarshal(value, &text) != nil {
				text = string(value) // GitLab's may be an object
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

// secrets are what a host's text may repeat of what it was sent: tokens by their
// beginnings, what follows the name of a secret, names and passwords in addresses,
// and long texts of letters and digits.
var secrets = regexp.MustCompile(`(?i)\b(?:gh[a-z]|github_pat|gl[a-z]{2,8})[_-][\w.-]{8,}|\beyJ[\w.-]{8,}|` +
	`\b(?:bearer|basic)\s+[\w.~+/=-]{8,}|\b(?:[a-z_]*token|secret|password|code)["']?\s*[=:]\s*["']?[^\s"',;&]+|` +
	`://[^\s/@]+@|[A-Za-z0-9_+/=-]{32,}`)

// clean makes one bounded line of a host's text that holds no secret.
func clean(text string) string {
	text = strings.ToValidUTF8(text, "")
	text = strings.Map(func(c rune) rune {
		if unicode.In(c, unicode.C, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return c
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	return shorten.Head(secrets.ReplaceAllString(text, masked), MaxWords)
}
