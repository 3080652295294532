package artifact_test

import (
	"net/http"
	"testing"

	"github.com/opsplane/opsplane/infra/storagetest"
	"github.com/opsplane/opsplane/shared/artifact"
)

// S3 puts the parts of a large file together in minutes, a call waits seconds.
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
			got, err := r.failing(&faults).Complete(t.Context(), r.ns, nil, author(), u.ID)
			want := artifact.Verifying
			if kind == storagetest.LoseAnswer {
				want = artifact.Done // the object is there
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
