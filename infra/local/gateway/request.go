//go:build unix

package gateway

import (
	"net/http"
	"strings"
)

// Limits of a request, apart from its body. Sources: "Quotas for configuring and running a REST
// API in API Gateway" and "Amazon API Gateway important notes", both in the Amazon API Gateway
// Developer Guide.
const (
	// maxMethodARN is the maximum length, in bytes, of the ARN of a method with an authorizer.
	// The ARN contains the values of the path's variables as the client sent them. If it is
	// longer, the client receives "414 Request URI too long". (Quotas: "Method ARN length".)
	maxMethodARN = 1600
	// maxHead is the maximum size, in bytes, of the request line and the headers together:
	// names, values, spaces and line ends. The quotas of a REST API state 10,240 for the
	// headers and 10,240 for the address. The quotas of an HTTP API state 10,240 for both
	// together. Nobody has measured which of the two applies; this is the stricter one.
	maxHead = 10_240
	// apiIDLength is the length, in letters, of an API's id on AWS. Our id is shorter, but what
	// fits here must also fit on AWS.
	apiIDLength = 10
)

// methodOverride is a header. The gateway takes its value as the request's method, and does not
// pass the header to the function. (Important notes for REST APIs.)
const methodOverride = "X-HTTP-Method-Override"

// unencoded are characters that must be percent-encoded in a query. (Important notes for REST
// APIs.)
const unencoded = "|{}"

// method returns the method that the gateway routes the request by.
func (c *call) method() string {
	if m := c.request.Header.Get(methodOverride); m != "" {
		return m
	}
	return c.request.Method
}

// inadmissible returns the reason why a request reaches no route, or "" if it is admissible.
func (c *call) inadmissible() refusal {
	switch {
	case headSize(c.request) > maxHead:
		return headTooLarge
	case strings.ContainsAny(c.rawQuery, unencoded):
		return badQuery
	}
	return ""
}

// headSize returns the size, in bytes, of the request line and the headers.
func headSize(r *http.Request) int {
	const ends = len(": \r\n")
	size := len(r.Method) + len(" ") + len(r.RequestURI) + len(" ") + len(r.Proto) + len("\r\n")
	size += len("Host") + len(r.Host) + ends
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(value) + ends
		}
	}
	return size
}

// arnTooLong reports whether the ARN of the method, with an id as long as AWS's, is longer than
// maxMethodARN.
func (c *call) arnTooLong(stage string) bool {
	return len(c.methodARN(stage))-len(apiID)+apiIDLength > maxMethodARN
}
