package main

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/vcs"
)

// defaultUploads is how many uploads are listed if the request has no limit.
const defaultUploads = 100

// listing is a request for a page of the uploads that are under way.
type listing struct {
	ns    vcs.Installation
	after string
	limit int
	links links
}

func decodeList(r *http.Request) (listing, error) {
	ns, err := namespace(r)
	if err != nil {
		return listing{}, err
	}
	q := httpapi.NewQuery(r)
	l := listing{ns, q.String("cursor", ""), q.Int("limit", defaultUploads, 1, artifact.MaxList), linksOf(r, ns)}
	if q.Has("limit") {
		l.links.more = "&limit=" + strconv.Itoa(l.limit)
	}
	return l, q.Err()
}

func (a artifacts) list(ctx context.Context, call httpapi.Call, l listing) (uploads, error) {
	found, more, err := a.store.List(ctx, l.ns, call.Now, l.after, l.limit)
	page := uploads{Uploads: []upload{}}
	for _, u := range found {
		page.Uploads = append(page.Uploads, showUpload(u, artifact.Page{}, l.links))
	}
	if more != "" {
		page.next = strings.TrimSuffix(l.links.uploads, "/") + "?cursor=" + url.QueryEscape(more) + l.links.more
	}
	return page, err
}

// uploads is a page of the uploads that are under way, with a link to the next page
// if there is one.
type uploads struct {
	Uploads []upload `json:"uploads"`

	next string
}

// SetHeaders implements httpapi.Headerer.
func (u uploads) SetHeaders(h http.Header) {
	if u.next != "" {
		h.Set("Link", "<"+u.next+`>; rel="next"`)
	}
}

var _ httpapi.Headerer = uploads{}
