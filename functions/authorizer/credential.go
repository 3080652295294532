package main

import (
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/shared/login/session"
)

// maxHeader is the largest length of the header, in bytes. The largest token that
// the server makes is shorter, and the gateway accepts 10,240 bytes of headers in
// all.
const maxHeader = 8 << 10

// request is the gateway's request to the authorizer.
type request = events.APIGatewayCustomAuthorizerRequestTypeRequest

// values returns the values of a header. The case of its name does not matter.
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

// bearer returns the credential of a request. The request must have exactly one
// Authorization header with one value, whose scheme is Bearer in any case.
func bearer(event request) (string, error) {
	authorization := values(event, "Authorization")
	// With two headers, a server between the client and this one might have read
	// the other one.
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

// cookie returns the text of the session in a request without an Authorization
// header.
func cookie(event request) (string, error) {
	lines := http.Request{Header: http.Header{"Cookie": values(event, "Cookie")}}
	found := lines.CookiesNamed(session.Cookie)
	// Another site on the same domain can add a cookie of this name, but cannot
	// remove ours. If there are two, the server cannot find out which one is ours.
	if len(found) > 1 {
		return "", refusal("more than one session cookie")
	}
	if len(found) == 0 {
		return "", refusal("neither an Authorization header nor a session cookie")
	}
	return found[0].Value, nil
}
