package awsclient

import (
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// WithPlainBodies sends the bodies of requests through next as readers that do not
// implement io.WriterTo. The reason is a fault that makes a successful write look
// lost, in these steps:
//
//   - The SDK closes a body as soon as a response begins. The closed body returns
//     io.EOF from WriteTo. There io.EOF does not mean the end, but a failure
//     (package io).
//   - At the same time, a connection may be asking a body of more than 4 KiB whether
//     more data follows. It then takes io.EOF for a failed request, and closes itself
//     while its response is being read.
//
// The fault was seen on a loaded machine, about once in a thousand writes.
func WithPlainBodies(next aws.HTTPClient) aws.HTTPClient {
	return plainBodies{next}
}

type plainBodies struct{ next aws.HTTPClient }

// Do implements aws.HTTPClient.
func (c plainBodies) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		// The caller closes its own request's body, which is the same body.
		plain := *r
		plain.Body = struct{ io.ReadCloser }{r.Body}
		r = &plain
	}
	return c.next.Do(r)
}
