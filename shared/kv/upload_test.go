package kv_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/opsplane/opsplane/shared/kv"
)

// TestReaderNeverSeesHalfAnUpload uploads a file in chunks again and again, as
// clients do: delete, insert drafts in parallel, commit. A reader must see one
// whole upload or none.
func TestReaderNeverSeesHalfAnUpload(t *testing.T) {
	r := newRig(t)
	const chunks, uploads = 8, 15
	stop := make(chan struct{})
	var whole atomic.Int32
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				got, next, err := r.Iterate(t.Context(), r.caller(nil), kv.Range{Key: "file", Inclusive: true, WithData: true, Limit: 100})
				if err != nil || next != nil {
					t.Errorf("iterate: %v, next %v", err, next)
					return
				}
				if len(got) != 0 && len(got) != chunks {
					t.Errorf("a reader sees %d of %d chunks", len(got), chunks)
				}
				if len(got) == chunks {
					whole.Add(1)
				}
				for _, rec := range got {
					if string(rec.Data) != string(got[0].Data) {
						t.Errorf("a reader sees chunks of uploads %s and %s", got[0].Data, rec.Data)
					}
				}
			}
		})
	}
	for n := range uploads {
		r.upload(t, n, chunks)
	}
	close(stop)
	readers.Wait()
	if whole.Load() == 0 {
		t.Error("no reader saw a whole upload, so nothing was tested")
	}
	for idx := range chunks {
		if got := r.get(t, "file", idx); string(got.Data) != fmt.Sprint(uploads-1) {
			t.Errorf("chunk %d is of upload %s, want %d", idx, got.Data, uploads-1)
		}
	}
}

func (r *rig) upload(t *testing.T, n, chunks int) {
	t.Helper()
	if _, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: "file"}, nil); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for idx := range chunks {
		writers.Go(func() {
			w := r.write(t, "file", idx, fmt.Sprint(n))
			w.Committed = false
			if _, err := r.CompareAndSet(t.Context(), r.caller(nil), w, nil); err != nil {
				t.Errorf("chunk %d: %v", idx, err)
			}
		})
	}
	writers.Wait()
	got, err := r.Commit(t.Context(), r.caller(nil), []kv.Target{{Key: "file"}})
	if err != nil || len(got) != chunks {
		t.Fatalf("commit answers %d rows, %v; want %d", len(got), err, chunks)
	}
}
