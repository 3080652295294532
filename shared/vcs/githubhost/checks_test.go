package githubhost_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func TestChecksAreTheNewestStatusesAndCheckRuns(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.update(func(repo *vcstest.Repository) {
		repo.Statuses = map[string][]vcstest.Status{r.head: {
			{Context: "a", State: "pending"}, {Context: "b", State: "error"}, {Context: "c", State: "failure"}, {Context: "d", State: "pending"}, {Context: "a", State: "success"},
		}}
		repo.CheckRuns = map[string][]vcstest.CheckRun{r.head: {
			{Name: "q", Status: "queued", App: "github-actions"},
			{Name: "p", Status: "in_progress", App: "other"},
			{Name: "s", Status: "completed", Conclusion: "success", App: "github-actions"},
			{Name: "n", Status: "completed", Conclusion: "neutral", App: "other"},
			{Name: "k", Status: "completed", Conclusion: "skipped", App: "other"},
			{Name: "f", Status: "completed", Conclusion: "failure", App: "other"},
			{Name: "t", Status: "completed", Conclusion: "timed_out", App: "other"},
			{Name: "x", Status: "completed", Conclusion: "cancelled", App: "other"},
			{Name: "r", Status: "completed", Conclusion: "action_required", App: "other"},
			{Name: "o", Status: "completed", Conclusion: "stale", App: "other"},
			{Name: "z", Status: "completed", App: "other"},
		}}
	})
	const pending, success, failure = vcshost.CheckPending, vcshost.CheckSuccess, vcshost.CheckFailure
	want := []vcshost.Check{
		{Name: "a", State: success},
		{Name: "d", State: pending},
		{Name: "c", State: failure},
		{Name: "b", State: failure},
		{Name: "q", State: pending, HostCI: true},
		{Name: "p", State: pending},
		{Name: "s", State: success, HostCI: true},
		{Name: "n", State: success},
		{Name: "k", State: success},
		{Name: "f", State: failure},
		{Name: "t", State: failure},
		{Name: "x", State: failure},
		{Name: "r", State: failure},
		{Name: "o", State: failure},
		{Name: "z", State: failure},
	}
	if got, err := r.client.Checks(t.Context(), infra, r.head); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if got, err := r.client.Checks(t.Context(), infra, r.base); err != nil || len(got) != 0 {
		t.Errorf("of another commit: got %+v, %v", got, err)
	}
}

func TestAllPagesOfChecksAreReadUnlessTheyAreTooMany(t *testing.T) {
	t.Parallel()
	for n, requests := range map[int]int{150: 4, 5_001: 50} {
		r := newRig(t)
		r.update(func(repo *vcstest.Repository) {
			repo.Statuses, repo.CheckRuns = map[string][]vcstest.Status{}, map[string][]vcstest.CheckRun{}
			for i := range n {
				name := fmt.Sprint("check ", i)
				if n <= 1_000 {
					repo.Statuses[r.head] = append(repo.Statuses[r.head], vcstest.Status{Context: name, State: "success"})
				}
				repo.CheckRuns[r.head] = append(repo.CheckRuns[r.head], vcstest.CheckRun{Name: name, Status: "queued"})
			}
		})
		got, err := r.client.Checks(t.Context(), infra, r.head)
		switch {
		case n <= 1_000 && (err != nil || len(got) != 2*n):
			t.Errorf("%d: got %d, %v", n, len(got), err)
		case n > 1_000 && !errors.Is(err, vcshost.ErrTooLarge):
			t.Errorf("%d: got %d, %v", n, len(got), err)
		case n > 1_000:
			requests++ // the page of statuses
		}
		if sent := r.requests(); sent != requests {
			t.Errorf("%d: %d requests were sent, want %d", n, sent, requests)
		}
	}
}

func TestOddListsOfChecksAreNone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, match := range []string{"/status", "/check-runs"} {
		for _, body := range []string{`{}`, `null`, `{"statuses":null,"check_runs":null}`, `{"statuses":{},"check_runs":{}}`, ``} {
			r.host.Fail(vcstest.Failure{Match: match, Times: 1, Status: 200, Body: body})
			if got, err := r.client.Checks(t.Context(), infra, r.head); err == nil {
				t.Errorf("%s of %s: got %+v", body, match, got)
			}
		}
	}
}
