package main

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv/artifact"
)

// defaultUploads is how many uploads are listed if the request has no limit.
const defaultUploads = 100

// listing is a request for a page of the uploads that are under way.
type listing struct {
	after   string
	limit   int
	address string // of the API
	more    string // parameters to repeat in links, each with its &
}

func decodeList(r *http.Request) (listing, error) {
	q := httpapi.NewQuery(r)
	l := listing{after: q.String("cursor", ""), limit: q.Int("limit", defaultUploads, 1, artifact.MaxList), address: httpapi.Address(asSent(r))}
	if q.Has("limit") {
		l.more = "&limit=" + strconv.Itoa(l.limit)
	}
	return l, q.Err()
}

func (a artifacts) list(ctx context.Context, call httpapi.Call, l listing) (uploads, error) {
	links := linksOf(l.address, call, l.more)
	found, more, err := a.store.List(ctx, call.Installation, call.Now, l.after, l.limit)
	page := uploads{Uploads: []upload{}}
	for _, u := range found {
		page.Uploads = append(page.Uploads, showUpload(u, artifact.Page{}, links))
	}
	if more != "" {
		page.next = strings.TrimSuffix(links.uploads, "/") + "?cursor=" + url.QueryEscape(more) + links.more
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
	setNext(h, u.next)
}

var _ httpapi.Headerer = uploads{}
