package kv_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/template"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/kv"
)

// TestRequestThatArrivesLateOverwritesNobody delays a write on its way, lets others
// write, and then lets the delayed write arrive.
func TestRequestThatArrivesLateOverwritesNobody(t *testing.T) {
	zero := 0
	for name, do := range map[string]func(*testing.T, *rig) error{
		"set": func(t *testing.T, r *rig) error {
			_, err := r.Set(t.Context(), r.caller(nil), r.write(t, "k", 0, `"mine"`))
			return err
		},
		"cas": func(t *testing.T, r *rig) error {
			_, err := r.CompareAndSet(t.Context(), r.caller(nil), r.write(t, "k", 0, `"mine"`), &zero)
			return err
		},
		"delete": func(t *testing.T, r *rig) error {
			_, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: "k", Idx: &zero}, nil)
			return err
		},
		"delete of the key": func(t *testing.T, r *rig) error {
			_, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: "k"}, nil)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.fill(t)
			var faults storagetest.Faults
			faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 1, Kind: storagetest.Late})
			err := do(t, r.failing(&faults))
			r.set(t, "k", 0, `"other"`, true)
			if err := faults.Deliver(); err != nil {
				t.Fatal(err)
			}
			got, getErr := r.Get(t.Context(), r.caller(nil), kv.Position{Key: "k", Idx: 0}, false, true)
			overwritten := getErr != nil || string(got.Data) != `"other"`
			if overwritten && !errors.Is(err, unknown) {
				t.Errorf("the write answered %v, and later it overwrote another: %s, %v", err, got.Data, getErr)
			}
		})
	}
}

func TestDeleteOfAKeyIsOnePointWhenItsFirstOtherRowAppears(t *testing.T) {
	r := newRig(t)
	r.set(t, "k", 0, `"old"`, true)
	var faults storagetest.Faults
	faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 1, Kind: storagetest.Pass, Before: func() {
		r.set(t, "k", 5, `"row"`, true)
		r.set(t, "k", 0, `"new"`, true)
	}})
	done, err := r.failing(&faults).Delete(t.Context(), r.caller(nil), kv.Target{Key: "k"}, nil)
	if err != nil || !done {
		t.Fatalf("delete answers %v, %v", done, err)
	}
	r.missing(t, "k", 0)
	r.missing(t, "k", 5)
}

func TestTwoDeletesDoNotClaimOneRow(t *testing.T) {
	r := newRig(t)
	r.set(t, "k", 5, "1", true)
	five := 5
	if _, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: "k", Idx: &five}, nil); err != nil {
		t.Fatal(err)
	}
	r.set(t, "k", 0, "1", true)
	var first bool
	var faults storagetest.Faults
	faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 1, Kind: storagetest.Pass, Before: func() {
		zero := 0
		var err error
		if first, err = r.Delete(t.Context(), r.caller(nil), kv.Target{Key: "k", Idx: &zero}, nil); err != nil {
			t.Error(err)
		}
	}})
	second, err := r.failing(&faults).Delete(t.Context(), r.caller(nil), kv.Target{Key: "k"}, nil)
	if err != nil || !first || second {
		t.Fatalf("the deletes answer %v and %v, %v; want true and false", first, second, err)
	}
}

func TestRefusedWriteChangesNothing(t *testing.T) {
	r := newRig(t)
	one := 1
	w := r.write(t, "absent", 3, "1")
	w.WriteCaps = &systemWrite
	if _, err := r.CompareAndSet(t.Context(), r.caller(nil), w, &one); !errors.Is(err, fault.ErrUnmet) {
		t.Fatalf("got %v, want ErrUnmet", err)
	}
	if head := r.item(t, "github:1", []byte("kabsent")); head != nil {
		t.Errorf("a refused write left %v", head)
	}
	r.set(t, "present", 3, "1", true)
	before := r.item(t, "github:1", []byte("kpresent"))
	w.Key = "present"
	if _, err := r.CompareAndSet(t.Context(), r.caller(nil), w, &one); !errors.Is(err, fault.ErrUnmet) {
		t.Fatalf("got %v, want ErrUnmet", err)
	}
	if after := r.item(t, "github:1", []byte("kpresent")); !reflect.DeepEqual(after, before) {
		t.Error("a refused write changed the head")
	}
}

func TestDeleteOfAKeyWithoutRowsChangesNothing(t *testing.T) {
	r := newRig(t)
	r.emptied(t, "k")
	before := r.item(t, "github:1", []byte("kk"))
	done, err := r.Delete(t.Context(), r.caller(nil), kv.Target{Key: "k"}, nil)
	if err != nil || done {
		t.Fatalf("delete of a key without rows answers %v, %v; want false", done, err)
	}
	if after := r.item(t, "github:1", []byte("kk")); !reflect.DeepEqual(after, before) {
		t.Errorf("the head was %v and is %v", before, after)
	}
}

func TestIterationOverUnseenKeysComesForward(t *testing.T) {
	r := newRig(t)
	const unseen = 250
	for n := range unseen {
		key := fmt.Sprintf("draft/%04d", n)
		r.set(t, key, 1, "1", false)
	}
	r.set(t, "seen", 0, `"seen"`, true)
	rows := kv.Range{Key: "", Inclusive: true, Limit: 1}
	for pages := 1; ; pages++ {
		got, next, err := r.Iterate(t.Context(), r.caller(nil), rows)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 1 {
			if pages < 2 || got[0].Key != "seen" {
				t.Errorf("found %q on page %d; want the seen key after pages without any", got[0].Key, pages)
			}
			return
		}
		if next == nil || pages > 10 {
			t.Fatalf("page %d ends the iteration before the key that is seen", pages)
		}
		rows.After = next
	}
}

func TestGetReadsAgainWhenItsBodyWasOverwrittenAndCollected(t *testing.T) {
	r := newRig(t)
	r.set(t, "k", 0, large, true)
	var faults storagetest.Faults
	faults.Add(storagetest.Fault{Operation: "s3:GET", Nth: 1, Kind: storagetest.Pass, Before: func() {
		r.set(t, "k", 0, `"new"`, true)
		r.emptyBucket(t)
	}})
	got, err := r.failing(&faults).Get(t.Context(), r.caller(nil), kv.Position{Key: "k", Idx: 0}, false, true)
	if err != nil || string(got.Data) != `"new"` {
		t.Fatalf("got %s, %v; want the new value", got.Data, err)
	}
}

func TestLostBodyIsAnErrorOfOursAndIterationAsksToTryAgain(t *testing.T) {
	r := newRig(t)
	r.set(t, "k", 0, large, true)
	r.emptyBucket(t)
	_, err := r.Get(t.Context(), r.caller(nil), kv.Position{Key: "k", Idx: 0}, false, true)
	var f *fault.Error
	if err == nil || errors.As(err, &f) {
		t.Errorf("get answers %v, want an internal error", err)
	}
	_, _, err = r.Iterate(t.Context(), r.caller(nil), kv.Range{Key: "k", Inclusive: true, WithData: true, Limit: 1})
	if !errors.As(err, &f) || f.ID != "CHANGED" {
		t.Errorf("iterate answers %v, want CHANGED", err)
	}
}

func (r *rig) emptyBucket(t *testing.T) {
	t.Helper()
	bucket := aws.String(r.env.Bucket("KvBucket"))
	out, err := r.env.S3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range out.Contents {
		if _, err := r.env.S3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: o.Key}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNoRequestOutlivesTheBoundOnWhichRetriesRest compares the function's timeout
// with what the store assumes after a lost response: if the request that last
// changed a row began over 30 s before the present request, then nobody has written
// the row since the present request began.
func TestNoRequestOutlivesTheBoundOnWhichRetriesRest(t *testing.T) {
	tpl, err := template.Load("../../template.yaml", template.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const bound, clocks = 30 * time.Second, 2 * time.Second
	found := false
	for _, f := range tpl.Functions {
		if f.LogicalID != "KvFunction" {
			continue
		}
		found = true
		if f.Timeout+clocks > bound {
			t.Errorf("the function may run for %s, want at most %s less %s", f.Timeout, bound, clocks)
		}
	}
	if !found {
		t.Error("the template has no KvFunction")
	}
}
