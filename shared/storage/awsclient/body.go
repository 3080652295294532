package awsclient

import (
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// WithPlainBodies sends the bodies of requests through next as readers that
// cannot write themselves (io.WriterTo). The SDK closes a body as soon as an
// answer begins, and its closed body answers WriteTo with io.EOF, which is no
// end there but a failure (package io). A connection that is just asking a
// body of more than 4 KiB whether anything follows takes that for a failed
// request and closes itself while its answer is being read: a write that took
// effect looks lost. Seen on a loaded machine, some once in a thousand writes.
func WithPlainBodies(next aws.HTTPClient) aws.HTTPClient {
	return plainBodies{next}
}

type plainBodies struct{ next aws.HTTPClient }

// Do implements aws.HTTPClient.
func (c plainBodies) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		// The caller closes its own request's body, which is the same.
		plain := *r
		plain.Body = struct{ io.ReadCloser }{r.Body}
		r = &plain
	}
	return c.next.Do(r)
}
