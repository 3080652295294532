package main

import (
	"bytes"
	"mime"
	"strings"

	"github.com/opsplane/opsplane/shared/api/fault"
)

// The refusals of a body that is not plain JSON. The host shows them to the
// webhook's owner, next to the delivery.
var (
	errForm = fault.Unsupportedf("UNSUPPORTED_MEDIA_TYPE",
		"the body is not JSON: choose application/json as the content type of the webhook, then send the delivery again")
	errPacked = fault.Unsupportedf("UNSUPPORTED_MEDIA_TYPE",
		"the body is compressed: choose application/json as the content type of the webhook, without compression on the way, then send the delivery again")
)

// plain refuses a body that is a form, is compressed, or has a content type other
// than JSON. It could be stored, but never be read. The owner must see that at the
// host, where the webhook is set up.
func (p post) plain() error {
	media, _, _ := mime.ParseMediaType(p.media) // empty if it cannot be read
	switch {
	case p.packed():
		return errPacked
	case p.media != "" && media != "application/json" && !strings.HasSuffix(media, "+json"), bytes.HasPrefix(p.body, []byte("payload=")):
		return errForm
	}
	return nil
}

// packed reports whether the body is compressed: the host says so, or the body
// begins as gzip does (RFC 1952, 2.3.1).
func (p post) packed() bool {
	return p.encoding != "" && !strings.EqualFold(p.encoding, "identity") || bytes.HasPrefix(p.body, []byte{0x1f, 0x8b})
}
