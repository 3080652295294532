package main

import (
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// maxHeader bounds the header, in bytes. The largest token that is ever minted
// stays below it, and the gateway takes 10,240 bytes of headers in all.
const maxHeader = 8 << 10

// bearer finds the credential of a request: the one value of its one
// Authorization header, whose scheme is Bearer in any case.
func bearer(event events.APIGatewayCustomAuthorizerRequestTypeRequest) (string, error) {
	var values []string
	for name, v := range event.MultiValueHeaders {
		if strings.EqualFold(name, "Authorization") {
			values = append(values, v...)
		}
	}
	if event.MultiValueHeaders == nil {
		for name, v := range event.Headers {
			if strings.EqualFold(name, "Authorization") {
				values = append(values, v)
			}
		}
	}
	// With two headers, somebody on the way might have read the other one.
	if len(values) != 1 {
		return "", refusal("not exactly one Authorization header")
	}
	if len(values[0]) > maxHeader {
		return "", refusal("the Authorization header is too long")
	}
	scheme, credential, _ := strings.Cut(strings.TrimSpace(values[0]), " ")
	if credential = strings.TrimSpace(credential); !strings.EqualFold(scheme, "Bearer") || credential == "" {
		return "", refusal("not a bearer credential")
	}
	return credential, nil
}
