package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/vcs"
)

// TestUploadsAreInTheTrailFromTheirAnnouncementToTheirEnd checks that the trail
// shows who announced, completed or ended an upload, and which uploads ended by
// themselves.
func TestUploadsAreInTheTrailFromTheirAnnouncementToTheirEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	table, bucket := r.Env.Table("KvTable"), r.Env.Bucket("KvBucket")
	records := kv.New(r.Env.DynamoDB, r.Env.S3, table, bucket)
	files := artifact.NewStore(r.Env.DynamoDB, r.Env.S3, records, table, bucket, artifact.Limits{})
	ns := vcs.Installation{VCS: "github", ID: "42"}
	ben, collector := by("2"), by("3")
	ben.Principal, collector.Principal = "ben", "collector"
	announce := func(body []byte, sum string) (artifact.Upload, artifact.Page) {
		t.Helper()
		u, page, err := files.Create(t.Context(), kv.Caller{Installation: ns, Author: by("1")}, artifact.New{
			Key: "plan/1", Idx: 3, Committed: true, File: artifact.File{Size: int64(len(body)), SHA256: sum, ContentType: "a/b"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return u, page
	}
	send := func(put *artifact.Put, body []byte) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, put.URL, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range put.Headers {
			request.Header.Set(name, value)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("PUT: %v, %v", answer, err)
		}
		_ = answer.Body.Close()
	}
	body, another := []byte("content"), make([]byte, 101<<20)
	sum := sha256.Sum256(body)
	right, wrong := hex.EncodeToString(sum[:]), strings.Repeat("0", 64)

	completed, page := announce(body, right)
	r.see(t)
	send(page.Put, body)
	for range 2 {
		if _, err := files.Complete(t.Context(), kv.Caller{Installation: ns, Author: ben}, completed.ID); err != nil {
			t.Fatal(err)
		}
	}
	r.see(t)
	aborted, _ := announce(body, right)
	r.see(t)
	for range 2 {
		if err := files.Abort(t.Context(), kv.Caller{Installation: ns, Author: ben}, aborted.ID); err != nil {
			t.Fatal(err)
		}
	}
	r.see(t)
	refused, page := announce(another, wrong)
	r.see(t)
	for _, p := range page.Parts {
		send(p.Put, another[p.Offset:p.Offset+p.Size])
	}
	if _, err := files.Complete(t.Context(), kv.Caller{Installation: ns, Author: ben}, refused.ID); err == nil {
		t.Error("another file was taken")
	}
	r.see(t)
	expired, _ := announce(body, right)
	r.see(t)
	held, err := files.Held(t.Context(), ns)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range held {
		if !h.Done {
			if _, _, err := files.Discard(t.Context(), kv.Caller{Installation: ns, Author: collector}, h); err != nil {
				t.Fatal(err)
			}
			r.see(t)
		}
	}

	var got []string
	for _, record := range r.all(t) {
		if record.Kind() != "upload" {
			continue
		}
		after, err := json.Marshal(record.After)
		if err != nil {
			t.Fatal(err)
		}
		if record.Actor.Request == "" || record.VCS != "github" || record.Installation != "42" || record.Before != nil {
			t.Errorf("got %+v", record)
		}
		got = append(got, fmt.Sprintf("%s %s by %s: %s", record.Action, record.Subject, record.Actor.ID, after))
	}
	const announced = `{"committed":true,"created_by":"ann","idx":3,"key":"plan/1","sha256":"%s","size":%d}`
	const ended = `{"created_by":"ann","idx":3,"key":"plan/1","size":%d}`
	small, large := fmt.Sprintf(ended, len(body)), fmt.Sprintf(ended, len(another))
	want := []string{
		"upload.create " + completed.ID + " by ann: " + fmt.Sprintf(announced, right, len(body)),
		"upload.complete " + completed.ID + " by ben: " + small,
		"upload.create " + aborted.ID + " by ann: " + fmt.Sprintf(announced, right, len(body)),
		"upload.abort " + aborted.ID + " by ben: " + small,
		"upload.create " + refused.ID + " by ann: " + fmt.Sprintf(announced, wrong, len(another)),
		"upload.refuse " + refused.ID + " by ben: " + large,
		"upload.create " + expired.ID + " by ann: " + fmt.Sprintf(announced, right, len(body)),
		"upload.expire " + expired.ID + " by collector: " + small,
	}
	if got, want := strings.Join(got, "\n"), strings.Join(want, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// see delivers the changes to the auditor twice, as a stream may do.
func (r *rig) see(t *testing.T) {
	t.Helper()
	list := r.changes(t)
	for range 2 {
		if n := tell(t, r.auditor, list); n != len(list) {
			t.Fatalf("%d of %d changes", n, len(list))
		}
	}
}
