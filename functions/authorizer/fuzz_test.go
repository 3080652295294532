package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

// FuzzBearer checks that a credential is found only if there is one header, whole,
// and without the spaces around it. For anything else the error is a refusal.
func FuzzBearer(f *testing.F) {
	f.Fuzz(func(t *testing.T, name, value, second string, twice bool) {
		headers := map[string][]string{name: {value}}
		if twice {
			headers[name] = append(headers[name], second)
		}
		got, err := bearer(events.APIGatewayCustomAuthorizerRequestTypeRequest{MultiValueHeaders: headers})
		if err != nil {
			if !errors.As(err, new(refusal)) || got != "" {
				t.Fatalf("%q: %q, %v", headers, got, err)
			}
			return
		}
		scheme, found := strings.CutSuffix(strings.TrimSpace(value), got)
		if twice || !strings.EqualFold(name, "authorization") || !found || got == "" || got != strings.TrimSpace(got) || len(value) > maxHeader ||
			!strings.EqualFold(strings.TrimSpace(scheme), "bearer") || !strings.HasSuffix(scheme, " ") {
			t.Fatalf("%q: %q", headers, got)
		}
	})
}
