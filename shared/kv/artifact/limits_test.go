package artifact_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

func newLimited(t *testing.T, limits artifact.Limits) *rig {
	t.Helper()
	t.Parallel()
	return rigOf(storagetest.New(t), limits)
}

// by returns an author with this principal.
func by(principal string) change.Author {
	a := author()
	a.Principal = principal
	return a
}

// underWay returns what counts as under way for a principal.
func (r *rig) underWay(t *testing.T, principal string) (bytes, uploads int64) {
	t.Helper()
	out, err := r.env.DynamoDB.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(r.env.Table("KvTable")),
		Key:       attr.Item{"pk": attr.String("UPLOADER:github:1"), "sk": attr.Bytes([]byte(principal))},
	})
	if err != nil {
		t.Fatal(err)
	}
	it := attr.Read(out.Item)
	return it.Int("ub"), it.Int("un")
}

func (r *rig) wantUnderWay(t *testing.T, when, principal string, bytes, uploads int64) {
	t.Helper()
	if gotBytes, got := r.underWay(t, principal); gotBytes != bytes || got != uploads {
		t.Errorf("%s: %d uploads of %d bytes of %s are under way, want %d of %d", when, got, gotBytes, principal, uploads, bytes)
	}
}

func TestPrincipalMayHaveSoMuchUnderWay(t *testing.T) {
	for name, tc := range map[string]struct {
		limits artifact.Limits
		says   []string
	}{
		"bytes":  {artifact.Limits{Uploading: 40}, []string{"4 uploads of 40 bytes", "one of 10 bytes", "exceed 40 bytes", "abort"}},
		"number": {artifact.Limits{Uploads: 4}, []string{"4 uploads of 40 bytes", "one of 10 bytes", "exceed 4 uploads", "abort"}},
		"both":   {artifact.Limits{Stored: 1000, Uploading: 40, Uploads: 4}, []string{"exceed 4 uploads or 40 bytes"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newLimited(t, tc.limits)
			body := []byte("0123456789")
			var group sync.WaitGroup
			made := make(chan artifact.Upload, 8)
			for range 8 {
				group.Go(func() {
					u, _, err := r.Create(t.Context(), kv.Caller{Installation: r.ns, Author: by("ann")}, artifact.New{Key: "k", File: fileOf(body), Committed: true})
					if err == nil {
						made <- u
						return
					}
					wantFault(t, err, "TOO_MANY_UPLOADS")
				})
			}
			group.Wait()
			close(made)
			if len(made) != 4 {
				t.Errorf("%d uploads fit, want 4", len(made))
			}
			_, _, err := r.Create(t.Context(), kv.Caller{Installation: r.ns, Author: by("ann")}, artifact.New{Key: "k", File: fileOf(body)})
			for _, says := range tc.says {
				if err == nil || !strings.Contains(err.Error(), says) {
					t.Errorf("got %v, want that it says %q", err, says)
				}
			}
			if used := r.used(t); used != "40" {
				t.Errorf("%s bytes count against the quota, want those of the four", used)
			}
			if _, _, err := r.Create(t.Context(), kv.Caller{Installation: r.ns, Author: by("ben")}, artifact.New{Key: "k", File: fileOf(body)}); err != nil {
				t.Errorf("another principal: %v", err)
			}
		})
	}
}

func TestFileThatNoLimitHasRoomForIsRefusedAtOnce(t *testing.T) {
	r := newLimited(t, artifact.Limits{Stored: 1 << 30, Uploading: 200 << 20})
	for size, id := range map[int64]string{1<<30 + 1: "QUOTA_EXCEEDED", 200<<20 + 1: "TOO_MANY_UPLOADS"} {
		_, _, err := r.Create(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, artifact.New{Key: "k", File: artifact.File{Size: size, SHA256: strings.Repeat("0", 64)}})
		wantFault(t, err, id)
	}
	r.wantUnderWay(t, "refused", "user", 0, 0)
}

// An upload counts against the limits of the principal that announced it exactly
// until it is a record or its bytes are gone, whoever completes or aborts it.
func TestBoundComesBackExactlyWhenTheUploadEnds(t *testing.T) {
	r := newLimited(t, artifact.Limits{Uploading: 1000, Uploads: 10})
	body := []byte("0123456789")
	create := func() (artifact.Upload, artifact.Page) {
		t.Helper()
		u, page, err := r.Create(t.Context(), kv.Caller{Installation: r.ns, Author: by("ann")}, artifact.New{Key: "k", File: fileOf(body), Committed: true})
		if err != nil {
			t.Fatal(err)
		}
		return u, page
	}
	completed, page := create()
	aborted, _ := create()
	create() // and do nothing else with it
	r.wantUnderWay(t, "announced", "ann", 30, 3)
	send(t, page.Put, body)
	for range 2 {
		if _, err := r.Complete(t.Context(), kv.Caller{Installation: r.ns, Author: by("ben")}, completed.ID); err != nil {
			t.Fatal(err)
		}
	}
	r.wantUnderWay(t, "one completed", "ann", 20, 2)
	for range 2 {
		if err := r.Abort(t.Context(), kv.Caller{Installation: r.ns, Author: by("ben")}, aborted.ID); err != nil {
			t.Fatal(err)
		}
	}
	r.wantUnderWay(t, "one aborted, its address still works", "ann", 20, 2)
	for range 2 {
		r.discard(t)
	}
	r.wantUnderWay(t, "the others discarded", "ann", 0, 0)
	r.wantUnderWay(t, "at the end", "ben", 0, 0)
	if used := r.used(t); used != "10" {
		t.Errorf("%s bytes count against the quota, want those of the record", used)
	}
}

func TestEveryUploadIsCountedOnceUnderEveryFault(t *testing.T) {
	kinds := map[string]storagetest.Kind{
		"throttled": storagetest.Throttle, "server error": storagetest.ServerError, "answer lost": storagetest.LoseAnswer,
		"request lost": storagetest.LoseRequest, "refused": storagetest.Refuse, "conflict": storagetest.Conflict, "delivered twice": storagetest.Duplicate,
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			r := newLimited(t, artifact.Limits{Stored: 20, Uploading: 20, Uploads: 2})
			body := []byte("0123456789")
			failing := func(operation string) *rig {
				var faults storagetest.Faults
				faults.Add(storagetest.Fault{Operation: operation, Nth: 1, Kind: kind})
				return r.failing(&faults)
			}
			create := func() (artifact.Upload, artifact.Page) {
				t.Helper()
				limited := rigOf(failing("TransactWriteItems").env, artifact.Limits{Stored: 20, Uploading: 20, Uploads: 2})
				u, page, err := limited.Create(t.Context(), kv.Caller{Installation: r.ns, Author: by("ann")}, artifact.New{Key: "k", File: fileOf(body), Committed: true})
				if err != nil {
					t.Fatal(err)
				}
				return u, page
			}
			u, page := create()
			aborted, _ := create()
			r.wantUnderWay(t, "announced", "ann", 20, 2)
			send(t, page.Put, body)
			if _, err := failing("TransactWriteItems").Complete(t.Context(), kv.Caller{Installation: r.ns, Author: by("ann")}, u.ID); err != nil {
				t.Fatal(err)
			}
			if err := failing("UpdateItem").Abort(t.Context(), kv.Caller{Installation: r.ns, Author: by("ann")}, aborted.ID); err != nil {
				t.Fatal(err)
			}
			r.wantUnderWay(t, "completed and aborted", "ann", 10, 1)
			failing("TransactWriteItems").discard(t)
			r.discard(t)
			r.wantUnderWay(t, "discarded", "ann", 0, 0)
			if used := r.used(t); used != "10" {
				t.Errorf("%s bytes count against the quota, want those of the record", used)
			}
		})
	}
}

func TestRefusedCreationLeavesNoPartsBehind(t *testing.T) {
	for name, limits := range map[string]artifact.Limits{
		"by the quota": {Stored: 150 << 20}, "by the bytes of a principal": {Uploading: 150 << 20}, "by the number of a principal": {Uploads: 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newLimited(t, limits)
			file := artifact.File{Size: 101 << 20, SHA256: strings.Repeat("0", 64), ContentType: "a/b"}
			u, _ := r.create(t, artifact.New{Key: "k", File: file})
			for range 3 {
				_, _, err := r.Create(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, artifact.New{Key: "k", File: file})
				var refused *fault.Error
				if !errors.As(err, &refused) || refused.Kind != fault.Invalid {
					t.Errorf("got %v, want a refusal", err)
				}
			}
			bucket := r.env.Bucket("KvBucket")
			begun, err := r.env.S3.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &bucket})
			if err != nil || len(begun.Uploads) != 1 || !strings.HasSuffix(aws.ToString(begun.Uploads[0].Key), u.ID) {
				t.Errorf("parts are begun of %+v, %v; want those of the first upload alone", begun.Uploads, err)
			}
		})
	}
}
