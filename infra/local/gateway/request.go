//go:build unix

package gateway

import (
	"net/http"
	"strings"
)

// Limits of a request, beside that of its body. Sources: "Quotas for configuring
// and running a REST API in API Gateway" and "Amazon API Gateway important
// notes", both in the Amazon API Gateway Developer Guide.
const (
	// maxMethodARN is the longest ARN, in bytes, of a method with an authorizer.
	// The values of the path's variables are in it, as they were sent. Beyond it
	// the client receives "414 Request URI too long". (Quotas: "Method ARN
	// length".)
	maxMethodARN = 1600
	// maxHead is how many bytes the request line and the headers may have
	// together: names, values, spaces and ends of lines. The quotas of a REST API
	// name 10,240 for the headers and 10,240 for the address, those of an HTTP API
	// 10,240 for both together. Which of the two holds is not measured: this is
	// the stricter one.
	maxHead = 10_240
	// apiIDLength is how many letters the id of an API has on AWS. Ours has
	// fewer, and what fits here must fit there.
	apiIDLength = 10
)

// methodOverride is a header whose value the gateway takes for the request's
// method. The function is not given the header. (Important notes for REST APIs.)
const methodOverride = "X-HTTP-Method-Override"

// unencoded are characters that may not stand in a query as they are. (Important
// notes for REST APIs.)
const unencoded = "|{}"

// method returns the method that a request is routed by.
func (c *call) method() string {
	if m := c.request.Header.Get(methodOverride); m != "" {
		return m
	}
	return c.request.Method
}

// inadmissible returns why a request does not reach any route, or nothing.
func (c *call) inadmissible() refusal {
	switch {
	case headSize(c.request) > maxHead:
		return headTooLarge
	case strings.ContainsAny(c.rawQuery, unencoded):
		return badQuery
	}
	return ""
}

// headSize returns the bytes of the request line and the headers.
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

// arnTooLong says whether the ARN of the method, with an id of AWS's length, is
// longer than the authorizer's policy may name.
func (c *call) arnTooLong(stage string) bool {
	return len(c.methodARN(stage))-len(apiID)+apiIDLength > maxMethodARN
}
