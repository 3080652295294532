package kv_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// TestExhaustedPartitionRefusesTheWriteAndKeepsWhatItAcknowledged writes more than
// the partition of an installation accepts, at a clock that stands still.
func TestExhaustedPartitionRefusesTheWriteAndKeepsWhatItAcknowledged(t *testing.T) {
	r := newRig(t)
	now := time.Now()
	hot := rigOn(r.env.WithThroughput(storagetest.Throughput{WriteUnits: 8, ReadUnits: 100, Now: func() time.Time { return now }}))
	acknowledged := map[string]bool{}
	const writes = 20
	for n := range writes {
		key := fmt.Sprint("k", n)
		_, err := hot.Set(t.Context(), r.caller(nil), r.write(t, key, 0, "1"))
		if err != nil && !table.Throttled(err) {
			t.Fatalf("set %s: %v, want it done or throttled", key, err)
		}
		acknowledged[key] = err == nil
	}
	done := 0
	for key, ok := range acknowledged {
		if !ok {
			r.missing(t, key, 0)
			continue
		}
		done++
		r.get(t, key, 0)
	}
	if done == 0 || done == writes {
		t.Errorf("%d of %d writes were admitted, want some", done, writes)
	}
	other := vcs.Installation{VCS: "github", ID: "2"}
	if _, err := hot.Set(t.Context(), kv.Caller{Installation: other, Author: r.author()}, r.write(t, "k", 0, "1")); err != nil {
		t.Errorf("a write of another installation: %v", err)
	}
}
