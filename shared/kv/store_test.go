package kv_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestSetCountsVersionsFromZeroAndGetReadsBack(t *testing.T) {
	r := newRig(t)
	for _, idx := range []int{0, 1, -1, kv.MinIdx, kv.MaxIdx} {
		for version := range 3 {
			value := fmt.Sprintf(`{"n":%d}`, version)
			rec := r.set(t, "k", idx, value, true)
			if rec.Version != version || rec.Data != nil {
				t.Fatalf("set %d of idx %d answers version %d, data %s", version, idx, rec.Version, rec.Data)
			}
			got := r.get(t, "k", idx)
			if got.Version != version || string(got.Data) != value || !got.Committed || got.Size != len(value)+1 {
				t.Fatalf("get idx %d = %+v %s, want version %d of %s", idx, got, got.Data, version, value)
			}
		}
	}
}

func TestValuesOfEverySizeRoundTrip(t *testing.T) {
	r := newRig(t)
	for _, n := range []int{0, 1, kv.InlineMax - 3, kv.InlineMax - 2, kv.InlineMax - 1, 100 << 10, 5 << 20} {
		for _, idx := range []int{0, 7} {
			value := `"` + strings.Repeat("x", n) + `"`
			r.set(t, "sizes", idx, value, true)
			if got := r.get(t, "sizes", idx); !bytes.Equal(got.Data, []byte(value)) {
				t.Errorf("a value of %d bytes at idx %d came back as %d bytes", len(value), idx, len(got.Data))
			}
		}
	}
}

func TestValueThatCouldNotBeReturnedIsRefused(t *testing.T) {
	r := newRig(t)
	// Every quote takes two bytes in JSON and four inside a JSON string.
	value := `"` + strings.Repeat(`\"`, kv.MaxEscapedValue/4) + `"`
	_, err := r.Set(t.Context(), r.caller(nil), kv.Write{Key: "k", Value: parse(t, value)})
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.TooLarge || !strings.Contains(f.Detail, fmt.Sprint(kv.MaxEscapedValue)) {
		t.Fatalf("got %v, want a fault that names the limit", err)
	}
	r.missing(t, "k", 0)
}

func TestLimitsAreNamed(t *testing.T) {
	r := newRig(t)
	long := strings.Repeat("k", kv.MaxKeyBytes+1)
	many := make([]kv.Target, kv.MaxCommitKeys+1)
	for i := range many {
		many[i].Key = fmt.Sprint(i)
	}
	_, getErr := r.Get(t.Context(), r.caller(nil), kv.Position{Key: long, Idx: 0}, false, true)
	_, setErr := r.Set(t.Context(), r.caller(nil), kv.Write{Key: "k", Idx: kv.MaxIdx + 1, Value: parse(t, "1")})
	_, commitErr := r.Commit(t.Context(), r.caller(nil), many)
	_, _, iterErr := r.Iterate(t.Context(), r.caller(nil), kv.Range{Limit: kv.MaxLimit + 1})
	for want, err := range map[string]error{
		"KEY_TOO_LONG 1000": getErr, "INVALID_IDX 32767": setErr, "TOO_MANY_KEYS 100": commitErr, "INVALID_LIMIT 10000": iterErr,
	} {
		id, limit, _ := strings.Cut(want, " ")
		var f *fault.Error
		if !errors.As(err, &f) || f.ID != id || !strings.Contains(f.Detail, limit) {
			t.Errorf("got %v, want %s naming %s", err, id, limit)
		}
	}
	longest := strings.Repeat("k", kv.MaxKeyBytes)
	r.set(t, longest, 0, "1", true)
	r.set(t, longest, 1, "2", true)
	if got := r.get(t, longest, 1); string(got.Data) != "2" {
		t.Errorf("the longest key reads %s, want 2", got.Data)
	}
}

func TestVersionEndsWithAClearRefusal(t *testing.T) {
	r := newRig(t)
	for _, idx := range []int{0, 3} {
		r.set(t, "old", idx, `"last"`, true)
		r.patchVersion(t, "old", idx, kv.MaxVersion)
		_, setErr := r.Set(t.Context(), r.caller(nil), r.write(t, "old", idx, `"more"`))
		last := kv.MaxVersion
		_, casErr := r.CompareAndSet(t.Context(), r.caller(nil), r.write(t, "old", idx, `"more"`), &last)
		for _, err := range []error{setErr, casErr} {
			var f *fault.Error
			if !errors.As(err, &f) || f.ID != "VERSION_LIMIT" {
				t.Errorf("idx %d: got %v, want VERSION_LIMIT", idx, err)
			}
		}
		if got := r.get(t, "old", idx); got.Version != kv.MaxVersion || string(got.Data) != `"last"` {
			t.Errorf("idx %d is %+v after the refusal", idx, got)
		}
	}
}

func TestConcurrentCompareAndSetHasOneWinnerPerVersion(t *testing.T) {
	r := newRig(t)
	for _, idx := range []int{0, 5} {
		const writers, rounds = 8, 5
		for round := range rounds {
			var won atomic.Int32
			var wg sync.WaitGroup
			for range writers {
				wg.Go(func() {
					var version *int
					if round > 0 {
						v := round - 1
						version = &v
					}
					_, err := r.CompareAndSet(t.Context(), r.caller(nil), r.write(t, "cas", idx, "1"), version)
					switch {
					case err == nil:
						won.Add(1)
					case !errors.Is(err, fault.ErrUnmet):
						t.Errorf("loser got %v, want ErrUnmet", err)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 {
				t.Fatalf("idx %d round %d: %d winners, want 1", idx, round, won.Load())
			}
		}
		if got := r.get(t, "cas", idx); got.Version != rounds-1 {
			t.Errorf("idx %d ends at version %d, want %d", idx, got.Version, rounds-1)
		}
	}
}

func TestConcurrentSetsAllCount(t *testing.T) {
	r := newRig(t)
	for _, idx := range []int{0, 5} {
		const writers, each = 8, 5
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for range each {
					if _, err := r.Set(t.Context(), r.caller(nil), r.write(t, "sum", idx, "1")); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if got := r.get(t, "sum", idx); got.Version != writers*each-1 {
			t.Errorf("idx %d ends at version %d, want %d", idx, got.Version, writers*each-1)
		}
	}
}

func TestCommitPublishesSeveralKeysTogether(t *testing.T) {
	r := newRig(t)
	const rows = 12
	for idx := range rows {
		r.set(t, "a", idx, fmt.Sprint(idx), false)
		r.set(t, "b", idx, fmt.Sprint(idx), false)
	}
	counts := func() (a, b int) {
		a, _, _ = r.Count(t.Context(), r.caller(nil), "a", false)
		b, _, _ = r.Count(t.Context(), r.caller(nil), "b", false)
		return a, b
	}
	var faults storagetest.Faults
	published := 0
	faults.Add(storagetest.Fault{Operation: "TransactWriteItems", Kind: storagetest.Pass, Before: func() {
		published++
		if a, b := counts(); a != 0 || b != 0 {
			t.Errorf("before its publication readers see %d and %d rows", a, b)
		}
	}})
	got, err := r.failing(&faults).Commit(t.Context(), r.caller(nil), []kv.Target{{Key: "a"}, {Key: "b"}})
	if err != nil || len(got) != 2*rows || published != 1 {
		t.Fatalf("commit answers %d rows, %v, in %d writes; want %d rows in one", len(got), err, published, 2*rows)
	}
	if writes := faults.Calls("UpdateItem") + faults.Calls("PutItem"); writes != 0 {
		t.Errorf("%d writes beside the one that publishes", writes)
	}
	if a, b := counts(); a != rows || b != rows {
		t.Errorf("afterwards readers see %d and %d rows, want %d", a, b, rows)
	}
	again, err := r.Commit(t.Context(), r.caller(nil), []kv.Target{{Key: "a"}, {Key: "b"}})
	if err != nil || len(again) != 0 {
		t.Fatalf("commit again answers %v, %v; want nothing", again, err)
	}
}

func TestCommitLeavesOutWhatTheCallerMayNotWrite(t *testing.T) {
	r := newRig(t)
	system := access.Set{access.KVStoreSystemWrite}
	for _, idx := range []int{0, 1} {
		w := r.write(t, "k", idx, "1")
		w.Committed, w.WriteCaps = false, &system
		if _, err := r.Set(t.Context(), r.caller(nil), w); err != nil {
			t.Fatal(err)
		}
	}
	r.set(t, "k", 2, "1", false)
	got, err := r.Commit(t.Context(), r.caller(nil), []kv.Target{{Key: "k"}})
	if err != nil || len(got) != 1 || got[0].Idx != 2 {
		t.Fatalf("commit answers %v, %v; want idx 2 alone", got, err)
	}
	got, err = r.Commit(t.Context(), r.caller(system), []kv.Target{{Key: "k"}})
	if err != nil || len(got) != 2 {
		t.Fatalf("commit with the capability answers %v, %v; want idx 0 and 1", got, err)
	}
}

func TestRewrittenRowIsADraftAgainUntilItsOwnCommit(t *testing.T) {
	r := newRig(t)
	for _, idx := range []int{0, 1} {
		for range 3 {
			r.set(t, "k", idx, "1", false)
			r.missing(t, "k", idx)
			if got, err := r.Commit(t.Context(), r.caller(nil), []kv.Target{{Key: "k", Idx: &idx}}); err != nil || len(got) != 1 {
				t.Fatalf("commit of idx %d answers %v, %v", idx, got, err)
			}
			r.get(t, "k", idx)
		}
	}
}

func TestRowCreatedAfterACommitIsNotCommittedByIt(t *testing.T) {
	r := newRig(t)
	r.set(t, "k", 1, "1", false)
	r.set(t, "k", 3, "1", false)
	if _, err := r.Commit(t.Context(), r.caller(nil), []kv.Target{{Key: "k"}}); err != nil {
		t.Fatal(err)
	}
	r.set(t, "k", 2, "1", false)
	r.missing(t, "k", 2)
}

func TestDeleteOfAKeyHidesRowsOfWritersUnderWay(t *testing.T) {
	r := newRig(t)
	for idx := range 5 {
		r.set(t, "k", idx, "1", true)
	}
	if done, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: "k"}, nil); err != nil || !done {
		t.Fatalf("delete answers %v, %v", done, err)
	}
	for idx := range 5 {
		r.missing(t, "k", idx)
	}
	if done, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: "k"}, nil); err != nil || done {
		t.Fatalf("delete of nothing answers %v, %v; want false", done, err)
	}
	if rec := r.set(t, "k", 3, "1", true); rec.Version != 0 {
		t.Errorf("a row made anew has version %d, want 0", rec.Version)
	}
	r.missing(t, "k", 4)
}

func TestDeleteKeepsRowsThatTheCallerMayNotWrite(t *testing.T) {
	system := access.Set{access.KVStoreSystemWrite}
	r := newRig(t)
	for _, guarded := range []int{0, 2} {
		r.ns.ID = vcs.ID(fmt.Sprint(guarded))
		for idx := range 4 {
			w := r.write(t, "k", idx, "1")
			if idx == guarded {
				w.WriteCaps = &system
			}
			if _, err := r.Set(t.Context(), r.caller(nil), w); err != nil {
				t.Fatal(err)
			}
		}
		if done, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: "k"}, nil); err != nil || !done {
			t.Fatalf("delete answers %v, %v", done, err)
		}
		for idx := range 4 {
			if idx == guarded {
				r.get(t, "k", idx)
				continue
			}
			r.missing(t, "k", idx)
		}
	}
}

func TestNamespacesAreSeparate(t *testing.T) {
	r := newRig(t)
	r.set(t, "k", 0, "1", true)
	for _, ns := range []vcs.Installation{{VCS: "gitlab", ID: r.ns.ID}, {VCS: r.ns.VCS, ID: r.ns.ID + "0"}} {
		if _, err := r.Get(t.Context(), kv.Caller{Installation: ns}, kv.Position{Key: "k", Idx: 0}, true, true); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("namespace %v sees the row of %v: %v", ns, r.ns, err)
		}
	}
}
