package artifact_test

import (
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
)

// discard does what the collector does with every upload for which no bytes can
// arrive any more.
func (r *rig) discard(t *testing.T) {
	t.Helper()
	held, err := r.Held(t.Context(), r.ns)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range held {
		if h.Done {
			continue
		}
		if _, _, err := r.Discard(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, h); err != nil {
			t.Fatal(err)
		}
	}
}

func TestQuotaIsHeldUnderConcurrentUploads(t *testing.T) {
	r := newRig(t)
	file := fileOf(nil)
	file.Size = quota / 4
	var wg sync.WaitGroup
	made := make(chan string, 8)
	for range 8 {
		wg.Go(func() {
			u, _, err := r.Create(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, artifact.New{Key: "k", File: file})
			if err == nil {
				made <- u.ID
				return
			}
			wantFault(t, err, "QUOTA_EXCEEDED")
		})
	}
	wg.Wait()
	close(made)
	if len(made) != 4 {
		t.Errorf("%d uploads fit, want 4", len(made))
	}
	for id := range made {
		for range 2 {
			if err := r.Abort(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, id); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := r.Show(t.Context(), kv.Caller{Installation: r.ns, Author: change.Author{At: time.Now()}}, id, 0, 1); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("an aborted upload answers %v", err)
		}
	}
	if used := r.used(t); used != strconv.Itoa(quota) {
		t.Errorf("%s bytes are counted; want all, as the addresses still work", used)
	}
	for range 2 {
		r.discard(t)
	}
	if used := r.used(t); used != "0" {
		t.Errorf("%s bytes are still counted", used)
	}
}
