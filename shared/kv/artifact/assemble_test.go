package artifact_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
)

// S3 assembles the parts of a large file in minutes, but a call waits only seconds.
func TestCompletionGoesOnWhilePartsArePutTogether(t *testing.T) {
	for name, kind := range map[string]storagetest.Kind{
		"under way": storagetest.Late, "answer lost": storagetest.LoseAnswer,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			body := make([]byte, 101<<20)
			u, page := r.create(t, artifact.New{Key: "big", Committed: true, File: fileOf(body)})
			for _, p := range page.Parts {
				if got := send(t, p.Put, body[p.Offset:p.Offset+p.Size]); got != http.StatusOK {
					t.Fatalf("PUT answers %d", got)
				}
			}
			var faults storagetest.Faults
			faults.Add(storagetest.Fault{Operation: "s3:POST", Kind: kind})
			got, err := r.failing(&faults).Complete(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, u.ID)
			want := artifact.Verifying
			if kind == storagetest.LoseAnswer {
				want = artifact.Done // the object exists
			}
			if err != nil || got.State != want || got.Record != nil && want != artifact.Done {
				t.Fatalf("got %+v, %v; want state %s", got, err, want)
			}
			if err := faults.Deliver(); err != nil {
				t.Fatal(err)
			}
			if done := r.complete(t, u.ID); done.State != artifact.Done || done.Record.Version != 0 {
				t.Errorf("got %+v, want it done, once", done)
			}
		})
	}
}

func TestPartsThatS3KnowsNoMoreAreBeingPutTogether(t *testing.T) {
	r := newRig(t)
	u, _ := r.create(t, artifact.New{Key: "big", File: artifact.File{Size: 101 << 20, SHA256: strings.Repeat("0", 64), ContentType: "a/b"}})
	bucket := r.env.Bucket("KvBucket")
	known, err := r.env.S3.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &bucket})
	if err != nil || len(known.Uploads) != 1 {
		t.Fatalf("got %+v, %v; want one", known, err)
	}
	parts := known.Uploads[0]
	_, err = r.env.S3.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: &bucket, Key: parts.Key, UploadId: parts.UploadId})
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Complete(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, u.ID)
	if err != nil || got.State != artifact.Verifying {
		t.Errorf("complete: got %+v, %v; want that it goes on", got, err)
	}
	got, page, err := r.Show(t.Context(), kv.Caller{Installation: r.ns, Author: change.Author{At: time.Now()}}, u.ID, 0, 1000)
	if err != nil || got.State != artifact.Verifying || len(page.Parts) != 0 {
		t.Errorf("show: got %+v, %+v, %v; want nothing left to send", got, page, err)
	}
	if err := r.Abort(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, u.ID); err != nil {
		t.Errorf("abort: %v", err)
	}
}
