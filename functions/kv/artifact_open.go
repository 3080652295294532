package main

import (
	"context"
	"net/http"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv"
)

// opening is a request for the file of an artifact.
type opening struct {
	key    string
	idx    int
	drafts bool
}

func readOpening(key string, p parameters) (opening, error) {
	o := opening{key: key, idx: orZero(readIdx(p)), drafts: readDrafts(p)}
	return o, p.Err()
}

// open sends the caller to the file. The signature in the URL opens the file to
// anybody, so no cache may store the response.
func (a artifacts) open(ctx context.Context, call httpapi.Call, o opening) (httpapi.Redirect, error) {
	d, err := a.store.Open(ctx, caller(call), kv.Position{Key: o.key, Idx: o.idx}, o.drafts)
	if err != nil {
		return httpapi.Redirect{}, err
	}
	return httpapi.Redirect{
		Status: http.StatusFound, Location: d.URL,
		// The second tag is the one that S3 sends with the file itself. S3 writes the
		// quotes, and some of its clients remove them.
		Tags: []httpapi.Tag{httpapi.NewTag(d.File.SHA256), httpapi.NewTag(d.ETag)},
	}, nil
}

// fetch does the same as open for a caller who used POST. The file must be fetched
// with GET.
func (a artifacts) fetch(ctx context.Context, call httpapi.Call, o opening) (httpapi.Redirect, error) {
	to, err := a.open(ctx, call, o)
	to.Status = http.StatusSeeOther
	return to, err
}
