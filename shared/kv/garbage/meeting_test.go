package garbage_test

import (
	"bytes"
	"fmt"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/kv/garbage"
)

// everyNth is the distance of the calls at which the tests stop or kill somebody.
func everyNth() int64 { return int64(storagetest.Sample(1, 5)) }

// atEveryCall calls do with n = first, first+1 and so on (or with fewer calls:
// everyNth), until do returns that there was no nth call. Each call gets a rig with
// litter that was prepared before the time since. Several rigs are prepared at the
// same time, because they wait for the same boundary.
func atEveryCall(t *testing.T, first int64, prepare func(*rig), do func(r *rig, n int64, since time.Time) bool) {
	t.Helper()
	for n := first; ; {
		rigs := make([]*rig, storagetest.Sample(4, 2))
		for i := range rigs {
			rigs[i] = littered(t)
			prepare(rigs[i])
		}
		since := boundary()
		for _, r := range rigs {
			if !do(r, n, since) {
				return
			}
			if t.Failed() {
				t.Fatalf("at call %d", n)
			}
			n += everyNth()
		}
	}
}

// before makes something happen before the nth call.
func before(n int64, do func()) (faults *storagetest.Faults, happened *atomic.Bool) {
	var calls atomic.Int64
	happened = &atomic.Bool{}
	return &storagetest.Faults{Choose: func(string) storagetest.Fault {
		if calls.Add(1) != n {
			return storagetest.Fault{}
		}
		happened.Store(true)
		return storagetest.Fault{Before: do}
	}}, happened
}

// TestWritersAtEveryCallOfTheCollectorLoseNothing stops the collector before each
// of its calls, runs all kinds of writes, and then lets the collector continue.
func TestWritersAtEveryCallOfTheCollectorLoseNothing(t *testing.T) {
	t.Parallel()
	uploads := map[*rig]artifact.Upload{}
	prepare := func(r *rig) {
		u, page := r.announce(t, "completed meanwhile", []byte("sixth file"))
		send(t, page, []byte("sixth file"))
		uploads[r] = u
	}
	// The first 16 calls look for retired generations. A stop before any of them
	// has the same effect as a stop before the last of them.
	atEveryCall(t, 16, prepare, func(r *rig, n int64, since time.Time) bool {
		u := uploads[r]
		faults, happened := before(n, func() { meanwhile(t, r, u) })
		r.failing(faults).around(t, since)
		if !happened.Load() {
			return false
		}
		want := map[string]string{
			"kept/0": large("overwritten meanwhile"), "kept/7": large("beside"), "draft/3": large("draft"),
			"deleted/0": large("deleted"), "again/1": large("third"), "overwritten/0": large("first"), "now small/0": "1",
			"file/0": u.File.SHA256, "completed meanwhile/0": u.File.SHA256, "file gone/0": u.File.SHA256,
		}
		if got := r.content(t); !maps.Equal(got, want) {
			t.Errorf("readers see\n%.3000v\nwant\n%.3000v", got, want)
		}
		r.collectAll(t)
		r.exact(t)
		return true
	})
}

// meanwhile does what the writers do: overwrite, delete, write deleted content
// again, publish, complete, replace a file.
func meanwhile(t testing.TB, r *rig, u artifact.Upload) {
	r.set(t, "kept", 0, large("overwritten meanwhile"), true)
	r.delete(t, "published", nil)
	r.set(t, "deleted", 0, large("deleted"), true)
	r.delete(t, "again", nil)
	r.set(t, "again", 1, large("third"), false)
	r.commit(t, "again", "draft")
	r.complete(t, u)
	r.upload(t, "file", []byte("sixth file"))
	r.upload(t, "file gone", []byte("sixth file"))
}

// operations are the operations of callers. A whole run of the collector must be
// possible before each of their calls.
var operations = map[string]func(t testing.TB, r *rig){
	"overwrite of a value":      func(t testing.TB, r *rig) { r.set(t, "kept", 0, large("new"), true) },
	"new draft":                 func(t testing.TB, r *rig) { r.set(t, "new", 5, large("new"), false) },
	"first row beside idx 0":    func(t testing.TB, r *rig) { r.set(t, "now small", 2, large("new"), true) },
	"commit of two keys":        func(t testing.TB, r *rig) { r.commit(t, "draft", "published") },
	"delete of a key":           func(t testing.TB, r *rig) { r.delete(t, "published", nil) },
	"write after a delete":      func(t testing.TB, r *rig) { r.set(t, "deleted", 1, large("new"), true) },
	"upload":                    func(t testing.TB, r *rig) { r.upload(t, "new", []byte("new file")) },
	"upload over a file":        func(t testing.TB, r *rig) { r.upload(t, "file", []byte("new file")) },
	"upload over a file of old": func(t testing.TB, r *rig) { r.upload(t, "file gone", []byte("third file")) },
	"upload over a value":       func(t testing.TB, r *rig) { r.upload(t, "kept", []byte("new file")) },
	"value over a file":         func(t testing.TB, r *rig) { r.set(t, "file", 0, large("new"), true) },
}

func TestCollectorAtEveryCallOfACallerHarmsNothing(t *testing.T) {
	t.Parallel()
	for name, operate := range operations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			undisturbed := littered(t)
			operate(t, undisturbed)
			want := undisturbed.content(t)
			atEveryCall(t, 1, func(*rig) {}, func(r *rig, n int64, since time.Time) bool {
				faults, happened := before(n, func() { r.around(t, since) })
				operate(t, r.failing(faults))
				if got := r.content(t); !maps.Equal(got, want) {
					t.Errorf("readers see\n%.3000v\nwant\n%.3000v", got, want)
				}
				r.collectAll(t)
				r.exact(t)
				return happened.Load()
			})
		})
	}
}

// TestWithoutItsRestAWriteUnderWayWouldBeLost shows that the tests above can fail:
// a collector without a rest removes the object of a write between the two calls of
// that write.
func TestWithoutItsRestAWriteUnderWayWouldBeLost(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		write time.Duration
		lost  bool
	}{"with its rest": {2 * time.Hour, false}, "without": {0, true}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.set(t, "k", 1, "1", true) // registers the namespace
			var faults storagetest.Faults
			faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 2, Before: func() {
				for n := range 2 {
					c := rigOn(r.env, garbage.Rest{Write: tc.write})
					at := time.Now().Add(time.Hour + time.Duration(n)*2*time.Second)
					if _, err := c.Run(t.Context(), change.Author{Principal: "collector", Request: fmt.Sprint(n), At: at}); err != nil {
						t.Error(err)
					}
				}
			}})
			r.failing(&faults).set(t, "k", 0, large("x"), true)
			objects := r.objects(t)
			if lost := len(objects) == 0; lost != tc.lost {
				t.Errorf("the object is lost: %v, want %v", lost, tc.lost)
			}
		})
	}
}

// TestReaderOfAnObjectThatIsRemovedReadsWhatReplacedIt replaces a value and removes
// its object between the two calls of a reader.
func TestReaderOfAnObjectThatIsRemovedReadsWhatReplacedIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.set(t, "k", 0, large("old"), true)
	var faults storagetest.Faults
	faults.Add(storagetest.Fault{Operation: "s3:GET", Nth: 1, Before: func() {
		r.set(t, "k", 0, large("new"), true)
		r.collectAll(t)
	}})
	rec, err := r.failing(&faults).records.Get(t.Context(), kv.Caller{Installation: r.ns}, kv.Position{Key: "k", Idx: 0}, false, true)
	if err != nil || string(rec.Data) != large("new") {
		t.Errorf("got %.20s, %v", rec.Data, err)
	}
}

// TestUploadIsEitherCompletedOrExpired completes an upload before each call of a
// collector that finds it expired. Either the completion or the collector must win
// completely.
func TestUploadIsEitherCompletedOrExpired(t *testing.T) {
	t.Parallel()
	won := map[bool]int{}
	for n := int64(1); ; n += everyNth() {
		r := newRig(t)
		body := bytes.Repeat([]byte("x"), 1000)
		u, page := r.announce(t, "k", body)
		send(t, page, body)
		var done bool
		faults, happened := before(n, func() {
			_, err := r.files.Complete(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, u.ID)
			done = err == nil
		})
		if _, err := r.failing(faults).run(t.Context(), 30*time.Hour); err != nil {
			t.Errorf("call %d: %v", n, err)
		}
		if !happened.Load() {
			break
		}
		won[done]++
		if got := r.content(t); len(got) == 1 != done {
			t.Errorf("call %d: completed is %v, readers see %v", n, done, got)
		}
		r.collectAll(t)
		r.exact(t)
	}
	if won[true] == 0 || won[false] == 0 {
		t.Errorf("completed %d times and expired %d times: one of the two was not tried", won[true], won[false])
	}
}
