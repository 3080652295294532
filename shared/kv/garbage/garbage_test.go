package garbage_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/kv"
)

// litter writes one of everything that becomes garbage, and things that must stay.
// One part of the garbage is a deleted key with this number of rows.
func litter(t testing.TB, r *rig, rows int) {
	t.Helper()
	one := 1
	r.set(t, "kept", 0, large("kept"), true)
	r.set(t, "kept", 7, large("beside"), true)
	r.set(t, "draft", 3, large("draft"), false)
	r.set(t, "published", 4, large("published"), false)
	r.commit(t, "published")
	r.upload(t, "file", []byte("kept file"))

	r.set(t, "overwritten", 0, large("first"), true)
	r.set(t, "overwritten", 0, large("first"), true) // the same content again
	r.set(t, "now small", 0, large("x"), true)
	r.set(t, "now small", 0, "1", true)
	r.set(t, "row gone", 1, large("x"), true)
	r.delete(t, "row gone", &one)
	for idx := range rows {
		r.set(t, "deleted", idx, large("deleted"), idx%2 == 0)
	}
	r.delete(t, "deleted", nil)
	r.set(t, "again", 1, large("old"), true)
	r.delete(t, "again", nil)
	r.set(t, "again", 1, large("new"), true)
	r.upload(t, "file", []byte("another file"))
	r.upload(t, "file gone", []byte("third file"))
	r.delete(t, "file gone", nil)
	_, page := r.announce(t, "never completed", []byte("fourth file"))
	send(t, page, []byte("fourth file"))
	aborted, page := r.announce(t, "aborted", []byte("fifth file"))
	send(t, page, []byte("fifth file"))
	if err := r.files.Abort(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, aborted.ID); err != nil {
		t.Error(err)
	}
}

func TestGarbageGoesAndAllElseStays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	litter(t, r, 30) // more rows than one batch removes
	before := r.content(t)
	all := len(r.objects(t))

	first := r.collect(t, 30*time.Hour)
	if got := len(r.objects(t)); got != all-2 || first.Removed != 0 {
		t.Errorf("the first run removed %d objects, %d of %d are left; want those gone that two uploads have left", first.Removed, got, all)
	}
	if first.Generations != 2 || first.Rows != 30 {
		t.Errorf("%d generations with %d rows went, want 2 with 30: 29 of one key and 1 of the other", first.Generations, first.Rows)
	}
	if first.UploadsExpired != 1 || first.UploadsDiscarded != 2 || first.FilesReleased != 0 {
		t.Errorf("%d uploads expired, want 1; %d discarded, want 2: an aborted one too; %d files released, want none before their objects are gone",
			first.UploadsExpired, first.UploadsDiscarded, first.FilesReleased)
	}
	second := r.collect(t, 60*time.Hour)
	if second.Removed != first.Resting || second.Resting != 0 || second.Bytes == 0 {
		t.Errorf("the second run removed %d objects of %d bytes, %d rest; %d were waiting", second.Removed, second.Bytes, second.Resting, first.Resting)
	}
	if second.FilesReleased != 2 {
		t.Errorf("%d files released, want 2", second.FilesReleased)
	}
	r.exact(t)
	if after := r.content(t); !maps.Equal(after, before) {
		t.Errorf("readers see\n%v\nthey saw\n%v", slices.Sorted(maps.Keys(after)), slices.Sorted(maps.Keys(before)))
	}
	third := r.collect(t, 90*time.Hour)
	if third.Removed+third.Resting+third.Rows+third.UploadsExpired+third.FilesReleased != 0 {
		t.Errorf("a run with nothing to do did %+v", third)
	}
}

func TestNothingGoesBeforeItsTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	litter(t, r, 3)
	all := r.objects(t)
	items := len(r.items(t))
	// Everything that was written within the last hour may be part of a write that
	// is still under way.
	if report := r.collect(t, 59*time.Minute); report.Resting+report.Rows+report.UploadsExpired != 0 {
		t.Errorf("fresh writes are taken for garbage: %+v", report)
	}
	if got := len(r.items(t)); got != items {
		t.Errorf("%d items of %d are left", got, items)
	}
	// Then the object rests, because somebody may be reading it.
	found := r.collect(t, 2*time.Hour)
	if found.Resting == 0 || found.UploadsExpired != 0 {
		t.Errorf("after two hours: %+v", found)
	}
	for _, later := range []time.Duration{3 * time.Hour, 20 * time.Hour, 25*time.Hour + 58*time.Minute} {
		if report := r.collect(t, later); report.Removed != 0 {
			t.Errorf("after %v %d objects are removed, which have not rested", later, report.Removed)
		}
	}
	// Readers never saw the objects of uploads that are over. The objects of the
	// aborted and of the expired upload are removed as soon as the last URL has
	// expired.
	if got := r.objects(t); len(got) != len(all)-2 {
		t.Errorf("%d objects of %d are left, want all but those of two uploads", len(got), len(all))
	}
	// Runs in between do not restart the rest.
	if report := r.collect(t, 26*time.Hour+time.Minute); report.Removed != found.Resting {
		t.Errorf("after its rest %d objects of %d are removed", report.Removed, found.Resting)
	}
}

func TestObjectsThatCouldNotBeRemovedNeedNotRestAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	litter(t, r, 3)
	found := r.collect(t, 30*time.Hour)
	var faults storagetest.Faults
	faults.Add(storagetest.Fault{Operation: "s3:POST", Kind: storagetest.ServerError})
	if report, err := r.failing(&faults).run(t.Context(), 60*time.Hour); err == nil || report.Removed != 0 {
		t.Errorf("got %+v, %v", report, err)
	}
	if report := r.collect(t, 61*time.Hour); report.Removed != found.Resting {
		t.Errorf("%d objects of %d are removed", report.Removed, found.Resting)
	}
	r.exact(t)
}

func TestObjectsThatTheStoreDidNotNameAreLeftAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	litter(t, r, 3)
	for _, name := range []string{"github/1/notes.txt", "github/1/00000000000000000000000000000000/x", "github/10/ffffffffffffffffffffffffffffffff"} {
		if _, err := r.env.S3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(r.env.Bucket("KvBucket")), Key: &name}); err != nil {
			t.Fatal(err)
		}
	}
	report := r.collect(t, 30*time.Hour)
	if report.Foreign != 2 {
		t.Errorf("%d objects have foreign names, want 2", report.Foreign)
	}
	r.collect(t, 60*time.Hour)
	for _, name := range []string{"github/1/notes.txt", "github/1/00000000000000000000000000000000/x", "github/10/ffffffffffffffffffffffffffffffff"} {
		if _, err := r.env.S3.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(r.env.Bucket("KvBucket")), Key: &name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDamagedNamespaceHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	litter(t, r, 3)
	other := rigOn(r.env, rest)
	other.ns.ID = "2"
	other.set(t, "k", 0, large("x"), true)
	other.set(t, "k", 0, "1", true)
	r.damage(t, "kept")
	if _, err := r.run(t.Context(), 30*time.Hour); err == nil {
		t.Error("a row that names no object is no error")
	}
	all := r.objects(t)
	report, err := r.run(t.Context(), 60*time.Hour)
	if err == nil || report.Namespaces != 1 || report.Removed != 1 {
		t.Errorf("of the other namespace: %+v, %v", report, err)
	}
	if got := r.objects(t); !slices.Equal(got, all) {
		t.Error("objects of a namespace that cannot be read were removed")
	}
}
