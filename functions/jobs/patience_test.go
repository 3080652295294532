package main

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/background/task/work"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func TestRefreshGoesOnAsSoonAsTheHostAllows(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.github.Install("42", many(40)...)
	r.github.Fail(vcstest.Failure{Match: "GET /installation", Times: 2, Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}}})
	id := r.start(t, "github", "42")
	r.wake(t, r.Worker, id) // only once: the schedule does not run
	if got := r.task(t, id); got.State != task.Completed || got.Problem != "" {
		t.Errorf("task %+v", got)
	}
	if got := r.listed(t, "github", "42"); !slices.Equal(got, want(many(40))) {
		t.Errorf("%d are listed", len(got))
	}
	if strings.Contains(r.Rig.Log.String(), "stumbled") {
		t.Errorf("a moment's patience is told as a failure: %s", r.Rig.Log.String())
	}
}

func TestShortPatienceHasAnEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wait   time.Duration // the wait that the host asks for
		within time.Duration // time of the invocation; 0 means no limit
		asked  int           // maximum number of requests of one worker
	}{
		"a host that never allows it":      {5 * time.Second, 0, int(work.ShortWait/(5*time.Second)) + 1},
		"longer than a worker waits":       {work.ShortWait + time.Second, 0, 1},
		"longer than the invocation lasts": {2 * time.Second, work.Reserve + time.Second, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			asked := 0
			r.stepIs(func(context.Context, *task.Run, change.Author) (bool, error) {
				asked++
				return false, vcshost.Limit(c.wait)
			})
			ctx := t.Context()
			if c.within > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.within)
				defer cancel()
			}
			id := r.start(t, "github", "42")
			r.wakeIn(ctx, t, r.Worker, id)
			if got := r.task(t, id); got.State != task.Running || !strings.Contains(got.Problem, "no more requests") {
				t.Errorf("task %+v", got)
			}
			if asked > c.asked {
				t.Errorf("the host was asked %d times, want %d at most", asked, c.asked)
			}
			again, err := r.Tasks.Due(t.Context(), task.Hosts, r.Clock.Now().Add(c.wait+11*time.Second), 10)
			if err != nil || !slices.Contains(again, id) {
				t.Errorf("it is not taken up again: %v, %v", again, err)
			}
		})
	}
}

func TestEntryThatCannotBeReadCostsNoOther(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	there := many(3)
	r.github.Install("42", there...)
	r.settleAfter(t, r.start(t, "github", "42"))
	known := r.listed(t, "github", "42")
	// The host states repository 2 in a form that cannot be read, in the list and
	// on its own.
	r.Clock.Add(time.Hour)
	const odd = `{"id":2,"name":"r2","owner":"acme"}`
	r.github.Fail(vcstest.Failure{
		Match: "GET /installation", Times: 1, Status: http.StatusOK,
		Body: `{"total_count":3,"repositories":[` + odd + `,{"id":1,"name":"r1","owner":{"login":"acme"},"default_branch":"trunk","archived":true,"private":true}]}`,
	})
	r.github.Fail(vcstest.Failure{Match: "GET /repositories/2", Status: http.StatusOK, Body: odd})
	r.github.Install("42", there[0], there[1]) // 3 is gone
	id := r.start(t, "github", "42")
	r.settleAfter(t, id)
	got := r.task(t, id)
	if got.State != task.Completed || !strings.Contains(got.Problem, "left out: 1, the first of them 2: owner is a JSON string") {
		t.Errorf("task %+v", got)
	}
	want := []string{strings.Replace(known[0], "main", "trunk", 1), known[1]}
	if got := r.listed(t, "github", "42"); !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v: what is known of the odd one stays", got, want)
	}
	if !strings.Contains(r.Rig.Log.String(), "repository left out of the host's list") {
		t.Error("nothing is logged")
	}
}
