package main

import (
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/shared/login/session"
)

// maxHeader bounds the header, in bytes. The largest token that is ever minted
// stays below it, and the gateway takes 10,240 bytes of headers in all.
const maxHeader = 8 << 10

// request is what the gateway asks about.
type request = events.APIGatewayCustomAuthorizerRequestTypeRequest

// values are those of a header, whatever the case of its name.
func values(event request, header string) []string {
	var found []string
	for name, v := range event.MultiValueHeaders {
		if strings.EqualFold(name, header) {
			found = append(found, v...)
		}
	}
	if event.MultiValueHeaders == nil {
		for name, v := range event.Headers {
			if strings.EqualFold(name, header) {
				found = append(found, v)
			}
		}
	}
	return found
}

// bearer finds the credential of a request: the one value of its one
// Authorization header, whose scheme is Bearer in any case.
func bearer(event request) (string, error) {
	authorization := values(event, "Authorization")
	// With two headers, somebody on the way might have read the other one.
	if len(authorization) != 1 {
		return "", refusal("not exactly one Authorization header")
	}
	if len(authorization[0]) > maxHeader {
		return "", refusal("the Authorization header is too long")
	}
	scheme, credential, _ := strings.Cut(strings.TrimSpace(authorization[0]), " ")
	if credential = strings.TrimSpace(credential); !strings.EqualFold(scheme, "Bearer") || credential == "" {
		return "", refusal("not a bearer credential")
	}
	return credential, nil
}

// cookie finds the text of the session in a request without an Authorization
// header.
func cookie(event request) (string, error) {
	lines := http.Request{Header: http.Header{"Cookie": values(event, "Cookie")}}
	found := lines.CookiesNamed(session.Cookie)
	// A neighbour on the same domain can add a cookie of this name, but not
	// take ours away: of two nobody can tell which is ours.
	if len(found) > 1 {
		return "", refusal("more than one session cookie")
	}
	if len(found) == 0 {
		return "", refusal("neither an Authorization header nor a session cookie")
	}
	return found[0].Value, nil
}
