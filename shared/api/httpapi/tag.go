package httpapi

import (
	"context"
	"net/http"
	"strings"
)

// Tag is an entity tag with its quotes, such as "abc" (RFC 9110, section 8.8.3). Two
// responses with the same tag have the same content.
type Tag string

// NewTag returns a tag from a text, with or without quotes. The text holds no other
// quotes and no commas.
func NewTag(text string) Tag { return Tag(`"` + strings.Trim(text, `"`) + `"`) }

// held reports whether the client of a GET or HEAD states in If-None-Match that it
// holds one of the tags. * stands for any tag. Tags are compared weakly, so it does
// not matter which of them are weak (RFC 9110, section 13.1.2).
func held(r *http.Request, tags []Tag) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	for _, list := range r.Header.Values("If-None-Match") {
		for sent := range strings.SplitSeq(list, ",") {
			sent = strings.TrimPrefix(strings.TrimSpace(sent), "W/")
			for _, tag := range tags {
				if sent == "*" || sent == string(tag) {
					return true
				}
			}
		}
	}
	return false
}

// notModified says that the client holds the content with this tag already.
type notModified struct{ tag Tag }

func (n notModified) write(h http.Header) (int, []byte, error) {
	h.Set("ETag", string(n.tag))
	return http.StatusNotModified, nil, nil
}

// storable lets one client store a response. The client must ask before it uses the
// response again (RFC 9111, sections 5.2.2.4 and 5.2.2.7).
const storable = "private, no-cache"

// tagged is a response with an entity tag.
type tagged struct {
	Response
	tag Tag
}

func (t tagged) write(h http.Header) (int, []byte, error) {
	h.Set("ETag", string(t.tag))
	h.Set("Cache-Control", storable)
	return t.Response.write(h)
}

// Tagged returns an endpoint of GET whose entity tag is known before its work is
// done. It calls tag first. If the client holds that tag, the response is 304 and do
// is not called. Otherwise the response has the tag, and clients may store it. The
// tag must change whenever the response of do would. The operation may return JSON
// or another Response: see ResponseOf.
func Tagged[Q, A any](decode func(*http.Request) (Q, error), tag func(context.Context, Call, Q) (Tag, error), do func(context.Context, Call, Q) (A, error)) Endpoint {
	return func(ctx context.Context, call Call, r *http.Request) (Response, error) {
		q, err := decoded(decode, r)
		if err != nil {
			return nil, err
		}
		current, err := tag(ctx, call, q)
		if err != nil {
			return nil, err
		}
		if held(r, []Tag{current}) {
			return tagged{notModified{current}, current}, nil
		}
		result, err := do(ctx, call, q)
		return tagged{ResponseOf(result), current}, err
	}
}
