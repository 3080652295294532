package main

import (
	"context"
	"net/http"
	"strings"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv"
)

// opening is a request for the file of an artifact.
type opening struct {
	key    string
	idx    int
	drafts bool
	has    []string // entity tags of files that the caller already has
}

func decodeOpen(r *http.Request) (opening, error) {
	key, err := decodeKey(r)
	if err != nil {
		return opening{}, err
	}
	o, err := readOpening(key, httpapi.NewQuery(r))
	o.has = entityTags(r)
	return o, err
}

func readOpening(key string, p parameters) (opening, error) {
	o := opening{key: key, idx: orZero(readIdx(p)), drafts: readDrafts(p)}
	return o, p.Err()
}

// entityTags reads If-None-Match: a list of tags, or *. Tags are compared weakly,
// so it does not matter which of them are weak. A tag holds no quotes, and a tag
// made by this server holds no commas.
func entityTags(r *http.Request) []string {
	var tags []string
	for _, list := range r.Header.Values("If-None-Match") {
		for tag := range strings.SplitSeq(list, ",") {
			tags = append(tags, strings.TrimPrefix(strings.TrimSpace(tag), "W/"))
		}
	}
	return tags
}

func (a artifacts) open(ctx context.Context, call httpapi.Call, o opening) (redirect, error) {
	d, err := a.store.Open(ctx, caller(call), kv.Position{Key: o.key, Idx: o.idx}, o.drafts)
	if err != nil {
		return redirect{}, err
	}
	to := redirect{tag: `"` + d.File.SHA256 + `"`, location: d.URL}
	for _, tag := range o.has {
		// d.ETag is the tag that S3 sent with the file itself.
		to.same = to.same || tag == "*" || tag == to.tag || tag == quoted(d.ETag)
	}
	return to, nil
}

// fetch does the same as open for a caller who used POST.
func (a artifacts) fetch(ctx context.Context, call httpapi.Call, o opening) (redirect, error) {
	to, err := a.open(ctx, call, o)
	to.fetch = true
	return to, err
}

// quoted returns an entity tag with quotes. S3 writes the quotes, and some of its
// clients remove them.
func quoted(tag string) string { return `"` + strings.Trim(tag, `"`) + `"` }

// redirect sends the caller to the file, or says that the caller already has it.
type redirect struct {
	httpapi.Empty

	tag, location string
	same          bool
	fetch         bool // the request was not a GET, and the file must be fetched with GET
}

// Status implements httpapi.Statuser.
func (r redirect) Status() int {
	switch {
	case r.same:
		return http.StatusNotModified
	case r.fetch:
		return http.StatusSeeOther
	}
	return http.StatusFound
}

// SetHeaders implements httpapi.Headerer. The wrapper forbids caching of the
// response, because the signature in its URL opens the file to anybody.
func (r redirect) SetHeaders(h http.Header) {
	h.Set("ETag", r.tag)
	if !r.same {
		h.Set("Location", r.location)
	}
}

var (
	_ httpapi.Statuser = redirect{}
	_ httpapi.Headerer = redirect{}
)
