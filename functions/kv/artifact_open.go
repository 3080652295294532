package main

import (
	"context"
	"net/http"
	"strings"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv"
)

// opening asks for the file of an artifact.
type opening struct {
	named
	idx    int
	drafts bool
	has    []string // entity tags of what the caller has already
}

func decodeOpen(r *http.Request) (opening, error) {
	row, err := decodeKey(r)
	if err != nil {
		return opening{}, err
	}
	o, err := readOpening(row, queryOf(r))
	o.has = entityTags(r)
	return o, err
}

func readOpening(row named, p parameters) (opening, error) {
	o := opening{named: row, idx: orZero(readIdx(p)), drafts: readDrafts(p)}
	return o, p.failure()
}

// entityTags reads If-None-Match: a list of tags or *. They are compared
// weakly, so that it does not matter which of them are weak. A tag holds
// neither quotes nor, where anybody here made it, commas.
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
	d, err := a.store.Open(ctx, caller(call, o.ns), kv.Position{Key: o.key, Idx: o.idx}, o.drafts)
	if err != nil {
		return redirect{}, err
	}
	to := redirect{tag: `"` + d.File.SHA256 + `"`, location: d.URL}
	for _, tag := range o.has {
		// S3's own tag is the one that came with the file itself.
		to.same = to.same || tag == "*" || tag == to.tag || tag == quoted(d.ETag)
	}
	return to, nil
}

// fetch is open for a caller who asked with POST.
func (a artifacts) fetch(ctx context.Context, call httpapi.Call, o opening) (redirect, error) {
	to, err := a.open(ctx, call, o)
	to.fetch = true
	return to, err
}

// quoted is an entity tag with its quotes, which S3 writes and some of its
// clients take off.
func quoted(tag string) string { return `"` + strings.Trim(tag, `"`) + `"` }

// redirect sends the caller to the file, or tells that it has it.
type redirect struct {
	httpapi.Empty

	tag, location string
	same          bool
	fetch         bool // the request was no GET, and the file is to be fetched with one
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

// SetHeaders implements httpapi.Headerer. The wrapper forbids to keep the
// answer, and with it the address, whose signature opens the file to anyone.
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
