package main

import (
	"context"
	"net/http"
	"regexp"
	"strconv"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/vcs"
)

// namedUpload is the upload that a path names.
type namedUpload struct {
	ns    vcs.Installation
	id    string
	links links
}

// uploadID is the form of every id; anything else is no upload.
var uploadID = regexp.MustCompile(`^[0-9a-f]{32}$`)

func decodeUpload(r *http.Request) (namedUpload, error) {
	ns, err := namespace(r)
	if err != nil {
		return namedUpload{}, err
	}
	id := r.PathValue("upload_id")
	if !uploadID.MatchString(id) {
		return namedUpload{}, fault.ErrNotFound
	}
	return namedUpload{ns, id, linksOf(r, ns)}, nil
}

// defaultParts is how many parts are listed where no limit is given. A URL may
// have 2 KB, so that the longest page stays well below what a function may
// answer.
const defaultParts = 100

// showing asks for a page of an upload's parts.
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
		s.links.more = "&limit=" + strconv.Itoa(s.limit)
	}
	return s, q.Err()
}

func (a artifacts) show(ctx context.Context, call httpapi.Call, s showing) (upload, error) {
	u, page, err := a.store.Show(ctx, caller(call, s.ns), s.id, s.after, s.limit)
	return showUpload(u, page, s.links), err
}

// complete goes on with the completion of an upload.
func (a artifacts) complete(ctx context.Context, call httpapi.Call, n namedUpload) (completing, error) {
	u, err := a.store.Complete(ctx, caller(call, n.ns), n.id)
	return completing{showUpload(u, artifact.Page{}, n.links)}, err
}

// completing is how far the completion of an upload has come.
type completing struct{ upload }

func (c completing) verifying() bool { return c.State == artifact.Verifying }

// Status implements httpapi.Statuser: the file is not verified to its end yet.
func (c completing) Status() int {
	if c.verifying() {
		return http.StatusAccepted
	}
	return http.StatusOK
}

// SetHeaders implements httpapi.Headerer.
func (c completing) SetHeaders(h http.Header) {
	if c.verifying() {
		// The next call goes on with the work, it does not wait for it.
		h.Set("Retry-After", "1")
	}
}

var (
	_ httpapi.Statuser = completing{}
	_ httpapi.Headerer = completing{}
)

func (a artifacts) abort(ctx context.Context, call httpapi.Call, n namedUpload) (httpapi.Empty, error) {
	return httpapi.Empty{}, a.store.Abort(ctx, caller(call, n.ns), n.id)
}
