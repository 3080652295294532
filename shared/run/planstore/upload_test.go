package planstore_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

// content describes a plan as its runner does.
func content(plan string) planstore.Content {
	return planstore.Content{Size: int64(len(plan)), Digest: fmt.Sprintf("%x", sha256.Sum256([]byte(plan)))}
}

func (r rig) announce(t *testing.T, id run.ID, d run.Dirspace, plan string) planstore.Transfer {
	t.Helper()
	to, err := r.plans.Announce(t.Context(), id, d, content(plan), born)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// send sends bytes to where an upload goes, and returns the status.
func send(t *testing.T, to planstore.Transfer, method, body string, more http.Header) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, to.URL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range to.Headers {
		request.Header.Set(name, value)
	}
	maps.Copy(request.Header, more)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode
}

func (r rig) upload(t *testing.T, id run.ID, d run.Dirspace, plan string) planstore.Transfer {
	t.Helper()
	to := r.announce(t, id, d, plan)
	if got := send(t, to, http.MethodPut, plan, nil); got != http.StatusOK {
		t.Fatalf("the upload got %d", got)
	}
	if err := r.plans.PutUploaded(t.Context(), id, d, true, born); err != nil {
		t.Fatal(err)
	}
	return to
}

// chosen makes an apply that uses all plans of a run, and returns the one of a dirspace.
func (r rig) chosen(t *testing.T, plan run.ID, d run.Dirspace) planstore.Chosen {
	t.Helper()
	apply := r.create(t, run.Apply, func(id run.ID) error { return r.plans.Choose(t.Context(), id, r.uses(t, plan), born.Add(keep)) })
	chosen, err := r.plans.Chosen(t.Context(), apply, d, born)
	if err != nil {
		t.Fatal(err)
	}
	return chosen
}

// download reads the plan that an apply uses, as its runner does.
func (r rig) download(t *testing.T, c planstore.Chosen) string {
	t.Helper()
	from, err := r.plans.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, from.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("got %d, %v", response.StatusCode, err)
	}
	return string(body)
}

func TestUploadedPlanIsReadByTheApplyThatItWasChosenFor(t *testing.T) {
	t.Parallel()
	r := newRig(t, storagetest.New(t))
	id := r.create(t, run.Plan, nil)
	want := strings.Repeat("plan\x00\xff", 1000)
	r.upload(t, id, net, "an earlier one")
	r.upload(t, id, net, want)
	r.put(t, id, app, "small", false)
	found, err := r.plans.Of(t.Context(), id, born)
	if err != nil || len(found) != 2 {
		t.Fatalf("got %+v, %v", found, err)
	}
	for _, p := range found {
		if p.Uploaded != (p.Dirspace == net) || p.HasChanges != (p.Dirspace == net) || !p.ExpiresAt.Equal(born.Add(keep)) {
			t.Errorf("got %+v", p)
		}
	}
	if got := r.chosen(t, id, net); r.download(t, got) != want || got.Content != content(want) {
		t.Errorf("got %+v", got)
	}
	if got := r.download(t, r.chosen(t, id, app)); got != "small" {
		t.Errorf("got %q", got)
	}
	// A plan that the runner does not upload replaces one that it has uploaded.
	r.put(t, id, net, "small too", true)
	if got, err := r.plans.Read(t.Context(), r.chosen(t, id, net)); err != nil || string(got) != "small too" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestUploadTakesOnlyTheBytesThatWereAnnounced is what somebody can try who has read the
// presigned URL.
func TestUploadTakesOnlyTheBytesThatWereAnnounced(t *testing.T) {
	t.Parallel()
	r := newRig(t, storagetest.New(t))
	id, other := r.create(t, run.Plan, nil), r.create(t, run.Plan, nil)
	const want = "the plan that was shown"
	to := r.upload(t, id, net, want)
	chosen := r.chosen(t, id, net)
	without := planstore.Transfer{URL: to.URL, Headers: maps.Clone(to.Headers)}
	maps.DeleteFunc(without.Headers, func(name, _ string) bool { return strings.Contains(name, "Checksum") })
	elsewhere := to
	elsewhere.URL = strings.Replace(to.URL, string(id), string(other), 1)
	for name, attack := range map[string]func() int{
		"other bytes of the same length": func() int { return send(t, to, "PUT", strings.ToUpper(want), nil) },
		"more bytes":                     func() int { return send(t, to, "PUT", want+want, nil) },
		"fewer bytes":                    func() int { return send(t, to, "PUT", want[1:], nil) },
		"no checksum":                    func() int { return send(t, without, "PUT", strings.ToUpper(want), nil) },
		"the checksum of other bytes": func() int {
			return send(t, to, "PUT", strings.ToUpper(want), http.Header{"X-Amz-Checksum-Sha256": {"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}})
		},
		"the object of another run": func() int { return send(t, elsewhere, "PUT", want, nil) },
		"removal":                   func() int { return send(t, planstore.Transfer{URL: to.URL}, "DELETE", "", nil) },
		"reading":                   func() int { return send(t, planstore.Transfer{URL: to.URL}, "GET", "", nil) },
	} {
		if got := attack(); got < 400 || got >= 500 {
			t.Errorf("%s: got %d", name, got)
		}
		if got := r.download(t, chosen); got != want {
			t.Fatalf("%s: the plan is now %q", name, got)
		}
	}
	if got := send(t, to, "PUT", want, nil); got != http.StatusOK || r.download(t, chosen) != want {
		t.Errorf("the same bytes again: got %d", got)
	}
	if found := r.uses(t, other); len(found) != 0 {
		t.Errorf("the other run has the plans %+v", found)
	}
	// What was announced or sent later is another object, and no plan that was chosen.
	late := r.announce(t, id, net, "later")
	send(t, late, "PUT", "later", nil)
	if got := r.download(t, chosen); got != want {
		t.Errorf("the plan is now %q", got)
	}
}

func TestUploadCountsOnlyIfItsBytesAreThere(t *testing.T) {
	t.Parallel()
	r := newRig(t, storagetest.New(t))
	id := r.create(t, run.Plan, nil)
	refused := func(why string) {
		t.Helper()
		if err := r.plans.PutUploaded(t.Context(), id, net, true, born); !errors.Is(err, planstore.ErrNotUploaded) {
			t.Errorf("%s: got %v", why, err)
		}
	}
	refused("nothing was announced")
	to := r.announce(t, id, net, "plan")
	refused("nothing was sent")
	// Bytes whose SHA-256 S3 has not checked are not believed.
	r.put(t, id, app, "x", true)
	if err := r.plans.Put(t.Context(), id, net, []byte("plan"), true, born); err != nil {
		t.Fatal(err)
	}
	refused("the bytes came in another way")
	if got := send(t, to, "PUT", "plan", nil); got != http.StatusOK {
		t.Fatalf("got %d", got)
	}
	for range 2 {
		if err := r.plans.PutUploaded(t.Context(), id, net, true, born); err != nil {
			t.Error(err)
		}
	}
	r.announce(t, id, net, "another")
	refused("another was announced")
	if _, _, err := r.runs.Abort(t.Context(), id, runstore.Abortion{Reason: run.ReasonByPerson("ann")}, author()); err != nil {
		t.Fatal(err)
	}
	r.announce(t, id, net, "plan")
	if err := r.plans.PutUploaded(t.Context(), id, net, true, born); !errors.Is(err, planstore.ErrInactive) {
		t.Errorf("the run has ended: got %v", err)
	}
}

func TestUploadThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	good := content("plan")
	for want, c := range map[string]planstore.Content{
		"":               {Size: planstore.MaxUpload, Digest: good.Digest},
		"PLAN_TOO_LARGE": {Size: planstore.MaxUpload + 1, Digest: good.Digest},
		"INVALID_SIZE":   {Size: -1, Digest: good.Digest},
		"INVALID_SHA256": {Size: 1, Digest: strings.ToUpper(good.Digest)},
	} {
		var f *fault.Error
		if err := planstore.CheckUpload(c); errors.As(err, &f) != (want != "") || f != nil && f.ID != want {
			t.Errorf("%+v: got %v, want %s", c, err, want)
		}
	}
	for _, digest := range []string{"", "x", good.Digest[1:], good.Digest + "00", "../" + good.Digest[3:]} {
		if err := planstore.CheckUpload(planstore.Content{Digest: digest}); err == nil {
			t.Errorf("the digest %q was taken", digest)
		}
	}
}

func TestUploadsAreRemovedWithTheirRun(t *testing.T) {
	t.Parallel()
	r := newRig(t, storagetest.New(t))
	id := r.create(t, run.Plan, nil)
	r.upload(t, id, net, "plan")
	send(t, r.announce(t, id, app, "never stored"), "PUT", "never stored", nil)
	apply := r.create(t, run.Apply, func(apply run.ID) error { return r.plans.Choose(t.Context(), apply, r.uses(t, id), born.Add(keep)) })
	if err := r.plans.RemoveUsed(t.Context(), apply); err != nil || r.objects(t) != 1 || len(r.uses(t, id)) != 0 {
		t.Errorf("got %v, and %d objects", err, r.objects(t))
	}
	if err := r.plans.Remove(t.Context(), id); err != nil || r.objects(t) != 0 {
		t.Errorf("got %v, and %d objects", err, r.objects(t))
	}
}

// TestUploadThatWasTakenIsThere lets calls of PutUploaded fail or lose their response.
func TestUploadThatWasTakenIsThere(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	honest := newRig(t, env)
	id := honest.create(t, run.Plan, nil)
	taken := 0
	for _, operation := range []string{"PutItem", "GetItem", "s3:HEAD", "TransactWriteItems"} {
		for _, kind := range []storagetest.Kind{storagetest.LoseAnswer, storagetest.LoseRequest, storagetest.ServerError, storagetest.Throttle, storagetest.Duplicate} {
			faults := &storagetest.Faults{}
			faulty := newRig(t, env.WithFaults(faults))
			faults.Add(storagetest.Fault{Operation: operation, Nth: 1, Kind: kind})
			plan := fmt.Sprintf("%s %d", operation, kind)
			to, err := faulty.plans.Announce(t.Context(), id, net, content(plan), born)
			if err != nil {
				continue
			}
			send(t, to, "PUT", plan, nil)
			if err := faulty.plans.PutUploaded(t.Context(), id, net, true, born); err != nil {
				continue
			}
			taken++
			if got := honest.download(t, honest.chosen(t, id, net)); got != plan {
				t.Errorf("%s, fault %d: got %q", operation, kind, got)
			}
		}
	}
	if taken == 0 {
		t.Error("no upload survived its fault")
	}
}
