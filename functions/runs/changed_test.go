package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
)

// changesSince returns the target of the list of changes from a time on.
func changesSince(at time.Time) string {
	return base + "/work-manifests?updated_since=" + at.UTC().Format(time.RFC3339)
}

// poll asks for changes with a tag. It returns the response and its tag.
func (r *rig) poll(t *testing.T, target, tag string) (functiontest.Response, string) {
	t.Helper()
	event := httpapitest.Event(t, "GET", target, r.Caller, "")
	event.MultiValueHeaders["If-None-Match"] = []string{tag}
	got := r.Send(t, event)
	return got, http.Header(got.MultiValueHeaders).Get("ETag")
}

// shown returns the ids of the runs of a page.
func shown(t *testing.T, got functiontest.Response) (ids []string) {
	t.Helper()
	var page struct {
		Runs []struct{ ID string } `json:"work_manifests"`
	}
	if got.StatusCode != 200 {
		t.Fatalf("status %d %s", got.StatusCode, got.Body)
	}
	got.Read(t, &page)
	for _, one := range page.Runs {
		ids = append(ids, one.ID)
	}
	return ids
}

func TestPollSeesEachChangeAndNothingElse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	old := r.create(t, "42", "net")
	r.Clock.Add(5 * time.Second)
	target := changesSince(r.Clock.Now())
	first, tag := r.poll(t, target, "")
	if ids := shown(t, first); len(ids) != 0 {
		t.Errorf("before a change: %v", ids)
	}
	expect := func(what string, want ...string) {
		t.Helper()
		got, next := r.poll(t, target, tag)
		if len(want) == 0 {
			if got.StatusCode != 304 || got.Body != "" || next != tag {
				t.Errorf("%s: %d %s", what, got.StatusCode, got.Body)
			}
			return
		}
		if ids := shown(t, got); !slices.Equal(ids, want) || next == tag {
			t.Errorf("%s: got %v, want %v", what, ids, want)
		}
		tag = next
	}
	expect("nothing has changed")
	r.create(t, "43", "net")
	expect("another installation has a new run")
	one := r.create(t, "42", "net")
	expect("a run was created", string(one))
	expect("nothing has changed since")
	r.complete(t, one, true) // in the same second
	expect("the run ended in the second of its creation", string(one))
	r.Clock.Add(time.Second)
	r.complete(t, old, true)
	expect("an older run ended", string(old), string(one))
	if got, _ := r.poll(t, target+"&q=state:queued", ""); len(shown(t, got)) != 0 {
		t.Errorf("under a query that matches none: %s", got.Body)
	}
	var page struct {
		Next string `json:"next_updated_since"`
	}
	got, _ := r.poll(t, target, "")
	got.Read(t, &page)
	if !strings.HasSuffix(target, page.Next) {
		t.Errorf("the next request is to begin at %s; a change may be stored up to a minute late", page.Next)
	}
}

func TestPagesOfChangesHaveEachRunOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	since := r.Clock.Now()
	var want []string
	for range 7 {
		id := r.create(t, "42", "net")
		r.Clock.Add(time.Second)
		r.complete(t, id, true)
		want = append([]string{string(id)}, want...)
	}
	for _, limit := range []string{"&limit=1", "&limit=3", "&limit=7", ""} {
		var all []string
		for target := changesSince(since) + limit; target != ""; {
			got := r.Do(t, "GET", target, "")
			all, target = append(all, shown(t, got)...), got.Links(t)["next"]
		}
		var once []string
		for _, id := range all {
			if !slices.Contains(once, id) {
				once = append(once, id)
			}
		}
		if !slices.Equal(once, want) || limit == "" && len(all) != len(want) {
			t.Errorf("%s: got %v, want %v", limit, all, want)
		}
	}
}

func TestTimesOfWhichChangesAreNotKnownAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for at, want := range map[string]string{
		"yesterday": "INVALID_PARAMETER", "": "INVALID_PARAMETER", "2024-01-01": "INVALID_PARAMETER",
		r.Clock.Now().Add(-25 * time.Hour).UTC().Format(time.RFC3339): "UPDATED_SINCE_TOO_OLD",
	} {
		if got := r.Do(t, "GET", base+"/work-manifests?updated_since="+at, ""); got.StatusCode != 400 || !strings.Contains(got.Body, want) {
			t.Errorf("%q: %d %s, want %s", at, got.StatusCode, got.Body, want)
		}
	}
}
