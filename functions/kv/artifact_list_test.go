package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestListOfUploadsSaysWhoAnnouncedWhatAndLeadsToThem(t *testing.T) {
	r := newRig(t)
	r.want(t, "GET", "/artifact/upload", "", 200, `{"uploads":[]}`)
	var made []upload
	for n := range 3 {
		made = append(made, r.begun(t, fmt.Sprint("k", n), "content", `,"file_name":"x.txt","content_type":"text/plain"`))
	}
	var listed []upload
	pages := 0
	for target := "/artifact/upload?limit=2"; target != ""; pages++ {
		resp := r.ask(t, "GET", target, "")
		var page uploads
		if err := json.Unmarshal([]byte(resp.Body), &page); err != nil || resp.StatusCode != 200 {
			t.Fatalf("got %d %s", resp.StatusCode, resp.Body)
		}
		listed = append(listed, page.Uploads...)
		target = ""
		if link := resp.MultiValueHeaders["Link"]; len(link) == 1 {
			_, rest, _ := strings.Cut(link[0], base)
			target, _, _ = strings.Cut(rest, ">")
		}
	}
	if pages != 2 || len(listed) != 3 {
		t.Fatalf("got %d uploads on %d pages, want 3 on 2", len(listed), pages)
	}
	byID := map[string]upload{}
	for _, u := range listed {
		byID[u.ID] = u
	}
	for _, want := range made {
		got := byID[want.ID]
		if got.CreatedBy != member().User || got.Key != want.Key || got.Size != 7 || got.State != artifact.Pending || got.ExpiresAt != want.ExpiresAt ||
			got.FileName != "x.txt" || got.Put != nil || got.Parts != nil {
			t.Errorf("got %+v, want %+v without addresses", got, want)
		}
		r.want(t, "DELETE", "/artifact/upload/"+got.ID, "", 200, "")
	}
	for _, query := range []string{"?limit=0", "?limit=501", "?limit=x"} {
		r.refused(t, "GET", "/artifact/upload"+query, "", "INVALID_PARAMETER", "limit")
	}
	r.refused(t, "GET", "/artifact/upload?cursor=x", "", "INVALID_CURSOR", "Link")
}

func TestListOfUploadsIsForThoseWhoMayWrite(t *testing.T) {
	t.Parallel()
	r := served(routes(nil, longList{}), member())
	readOnly, key := member(), member()
	readOnly.Capabilities = access.Set{access.KVStoreRead}
	key.Kind = access.KindAPIKey
	for _, caller := range []*access.Caller{nil, key, readOnly, member(access.Installation("2")), member(access.VCS("gitlab"))} {
		r.as(caller).want(t, "GET", "/artifact/upload", "", 403, "")
	}
}

// longList is a store with as many uploads as a page may have, each as long as
// possible.
type longList struct{ artifactStore }

func (longList) List(_ context.Context, _ vcs.Installation, now time.Time, _ string, limit int) ([]artifact.Upload, string, error) {
	longest := artifact.Upload{
		ID: anUpload, Key: strings.Repeat("\x01", kv.MaxKeyBytes), Idx: kv.MinIdx, State: artifact.Pending, CreatedBy: strings.Repeat("x", 100),
		File:     artifact.File{Size: artifact.MaxSize, SHA256: emptySum, ContentType: strings.Repeat("x", maxContentType), Name: strings.Repeat("<", maxFileName)},
		PartSize: artifact.MaxSize, PartCount: artifact.MaxParts, CreatedAt: now, ExpiresAt: now,
	}
	list := make([]artifact.Upload, limit)
	for i := range list {
		list[i] = longest
	}
	return list, strings.Repeat("0", 13) + "-" + anUpload, nil
}

func TestLongestListOfUploadsFitsIntoAnAnswer(t *testing.T) {
	t.Parallel()
	r := served(routes(nil, longList{}), member())
	resp := r.ask(t, "GET", "/artifact/upload?limit=500", "")
	event, err := json.Marshal(resp)
	if err != nil || resp.StatusCode != 200 || len(event) > maxEvent {
		t.Errorf("got %d in %d bytes, %v; want 200 in at most %d", resp.StatusCode, len(event), err, maxEvent)
	}
	if link := resp.MultiValueHeaders["Link"]; len(link) != 1 || !strings.HasSuffix(link[0], `-`+anUpload+`&limit=500>; rel="next"`) {
		t.Errorf("got %q", link)
	}
}
