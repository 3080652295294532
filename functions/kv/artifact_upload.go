package main

import (
	"context"
	"net/http"
	"regexp"
	"strconv"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv/artifact"
)

// namedUpload is the upload that a path names.
type namedUpload struct {
	id      string
	address string // of the API
	more    string // parameters to repeat in links, each with its &
}

func (n namedUpload) links(call httpapi.Call) links { return linksOf(n.address, call, n.more) }

// uploadID is the form of every id. Anything else names no upload.
var uploadID = regexp.MustCompile(`^[0-9a-f]{32}$`)

func decodeUpload(r *http.Request) (namedUpload, error) {
	id := r.PathValue("upload_id")
	if !uploadID.MatchString(id) {
		return namedUpload{}, fault.ErrNotFound
	}
	return namedUpload{id: id, address: httpapi.Address(asSent(r))}, nil
}

// defaultParts is how many parts are listed if the request has no limit. A URL may
// have 2 KB, so the longest page stays well below the maximum response of a
// function.
const defaultParts = 100

// showing is a request for a page of an upload's parts.
type showing struct {
	namedUpload
	after, limit int
}

func decodeShow(r *http.Request) (showing, error) {
	u, err := decodeUpload(r)
	if err != nil {
		return showing{}, err
	}
	q := httpapi.NewQuery(r)
	s := showing{u, q.Int("after", 0, 0, artifact.MaxParts), q.Int("limit", defaultParts, 1, artifact.MaxPage)}
	if q.Has("limit") {
		s.more = "&limit=" + strconv.Itoa(s.limit)
	}
	return s, q.Err()
}

func (a artifacts) show(ctx context.Context, call httpapi.Call, s showing) (upload, error) {
	u, page, err := a.store.Show(ctx, caller(call), s.id, s.after, s.limit)
	return showUpload(u, page, s.links(call)), err
}

// complete continues the completion of an upload.
func (a artifacts) complete(ctx context.Context, call httpapi.Call, n namedUpload) (completing, error) {
	u, err := a.store.Complete(ctx, caller(call), n.id)
	return completing{showUpload(u, artifact.Page{}, n.links(call))}, err
}

// completing is the response to a request for completion.
type completing struct{ upload }

func (c completing) verifying() bool { return c.State == artifact.Verifying }

// Status implements httpapi.Statuser. It returns 202 while the file is being
// verified.
func (c completing) Status() int {
	if c.verifying() {
		return http.StatusAccepted
	}
	return http.StatusOK
}

// SetHeaders implements httpapi.Headerer.
func (c completing) SetHeaders(h http.Header) {
	if c.verifying() {
		// The next call does a part of the work. It does not only wait.
		h.Set("Retry-After", "1")
	}
}

var (
	_ httpapi.Statuser = completing{}
	_ httpapi.Headerer = completing{}
)

func (a artifacts) abort(ctx context.Context, call httpapi.Call, n namedUpload) (httpapi.Empty, error) {
	return httpapi.Empty{}, a.store.Abort(ctx, caller(call), n.id)
}
