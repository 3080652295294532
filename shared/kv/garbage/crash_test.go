package garbage_test

import (
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
)

// changes reports whether an operation changes storage.
func changes(operation string) bool {
	return operation != "Query" && operation != "GetItem" && operation != "s3:GET"
}

// killed loses the response of the nth call that changes something, and makes every
// later call fail. This is the same as a process that is killed at that call. A
// kill before a call, or at a call that only reads, leaves the same state as a kill
// at the change before.
func killed(n int64) (faults *storagetest.Faults, made *atomic.Int64) {
	made = &atomic.Int64{}
	return &storagetest.Faults{Choose: func(operation string) storagetest.Fault {
		switch {
		case made.Load() >= n:
			return storagetest.Fault{Kind: storagetest.Refuse}
		case !changes(operation):
			return storagetest.Fault{}
		case made.Add(1) == n:
			return storagetest.Fault{Kind: storagetest.LoseAnswer}
		}
		return storagetest.Fault{}
	}}, made
}

func TestRunThatIsKilledAfterAnyChangeIsMadeGoodByTheNext(t *testing.T) {
	t.Parallel()
	for n := int64(1); ; n += everyNth() {
		r := littered(t)
		want := r.content(t)
		faults, made := killed(n)
		dying := r.failing(faults)
		// One of two runs is killed. The test does not require that it returns an
		// error, because there may have been nothing left to do.
		_, _ = dying.run(t.Context(), 30*time.Hour)
		_, _ = dying.run(t.Context(), 60*time.Hour)
		if got := r.content(t); !maps.Equal(got, want) {
			t.Fatalf("killed after change %d: readers see %.3000v, want %.3000v", n, got, want)
		}
		r.collectAll(t)
		r.exact(t)
		if t.Failed() {
			t.Fatalf("killed after change %d", n)
		}
		if made.Load() < n {
			if n < 10 {
				t.Errorf("a run makes %d changes; some are missing", n)
			}
			return
		}
	}
}

// TestCallerThatIsKilledAfterAnyChangeLeavesNothingBehind kills every kind of
// caller after each of its changes. Readers must see all of the caller's change or
// nothing, and the collector must remove the rest.
func TestCallerThatIsKilledAfterAnyChangeLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for name, operate := range operations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			undisturbed := littered(t)
			nothing := undisturbed.content(t)
			operate(t, undisturbed)
			all := undisturbed.content(t)
			for n := int64(1); ; n += everyNth() {
				r := littered(t)
				faults, made := killed(n)
				dying := r.failing(faults)
				dying.dying = true
				operate(t, dying)
				got := r.content(t)
				if !maps.Equal(got, all) && !maps.Equal(got, nothing) {
					t.Errorf("readers see\n%.3000v\nwant\n%.3000v\nor\n%.3000v", got, nothing, all)
				}
				r.collectAll(t)
				r.exact(t)
				if after := r.content(t); !maps.Equal(after, got) {
					t.Errorf("readers see\n%.3000v\nafter the collection, before it\n%.3000v", after, got)
				}
				if t.Failed() {
					t.Fatalf("killed after change %d", n)
				}
				if made.Load() < n {
					if !maps.Equal(got, all) {
						t.Error("not killed, yet not done")
					}
					return
				}
			}
		})
	}
}

// TestFaultsAreRepeatedOrReported injects a kind of fault into every third call.
// Whatever the runs return, readers must see the same as before, and runs without
// faults must finish the work.
func TestFaultsAreRepeatedOrReported(t *testing.T) {
	t.Parallel()
	kinds := map[string]storagetest.Kind{
		"throttled": storagetest.Throttle, "server error": storagetest.ServerError, "lost answer": storagetest.LoseAnswer,
		"lost request": storagetest.LoseRequest, "conflict": storagetest.Conflict, "delivered twice": storagetest.Duplicate,
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := littered(t)
			want := r.content(t)
			var calls atomic.Int64
			failing := r.failing(&storagetest.Faults{Choose: func(operation string) storagetest.Fault {
				ofWrites := kind != storagetest.Conflict || changes(operation) && !strings.HasPrefix(operation, "s3:")
				if calls.Add(1)%3 != 0 || !ofWrites {
					return storagetest.Fault{}
				}
				return storagetest.Fault{Kind: kind}
			}})
			for later := 30 * time.Hour; later < 120*time.Hour; later += 30 * time.Hour {
				if _, err := failing.run(t.Context(), later); err != nil {
					t.Logf("run: %v", err)
				}
			}
			if got := r.content(t); !maps.Equal(got, want) {
				t.Errorf("readers see %.3000v, want %.3000v", got, want)
			}
			r.collect(t, 150*time.Hour)
			r.collect(t, 180*time.Hour)
			r.exact(t)
		})
	}
}
