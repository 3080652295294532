package githubhost_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func TestReviewsWithAVerdictAreReadInTheOrderOfTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.change(func(c *vcstest.Change) {
		c.Requested = []string{"cat", "dan"}
		c.Reviews = []vcstest.Review{
			{Author: "bob", AuthorID: 2, State: "CHANGES_REQUESTED"},
			{Author: "cat", AuthorID: 3, State: "COMMENTED"},
			{Author: "eve", AuthorID: 5, State: "PENDING"},
			{Author: "bob", AuthorID: 2, State: "APPROVED"},
			{State: "APPROVED"},
			{Author: "dan", AuthorID: 4, State: "DISMISSED"},
		}
	})
	bob, dan := vcshost.Profile{ID: "2", Login: "bob"}, vcshost.Profile{ID: "4", Login: "dan"}
	want := vcshost.Reviews{Requested: 2, List: []vcshost.Review{{Author: bob, Verdict: vcshost.RequestsChanges}, {Author: bob, Verdict: vcshost.Approves}, {Author: dan, Verdict: vcshost.VerdictDismissed}}}
	if got, err := r.client.Reviews(t.Context(), infra, 5); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if got, err := r.client.Reviews(t.Context(), infra, 6); !errors.Is(err, vcshost.ErrGone) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAllPagesOfReviewsAreReadUnlessTheyAreTooMany(t *testing.T) {
	t.Parallel()
	for n, requests := range map[int]int{100: 2, 101: 3, 1_000: 11, 1_001: 10} {
		r := newRig(t)
		r.change(func(c *vcstest.Change) {
			for i := range n {
				c.Reviews = append(c.Reviews, vcstest.Review{Author: fmt.Sprint("p", i), AuthorID: int64(i + 1), State: "APPROVED"})
			}
		})
		got, err := r.client.Reviews(t.Context(), infra, 5)
		switch {
		case n > 1_000 && !errors.Is(err, vcshost.ErrTooLarge):
			t.Errorf("%d: got %d, %v", n, len(got.List), err)
		case n <= 1_000 && (err != nil || len(got.List) != n || got.List[n-1].Author.ID != vcs.ID(fmt.Sprint(n))):
			t.Errorf("%d: got %d, %v", n, len(got.List), err)
		}
		if sent := r.requests(); sent != requests {
			t.Errorf("%d: %d requests were sent, want %d", n, sent, requests)
		}
	}
}

func TestOddReviewsAreNoReviews(t *testing.T) {
	t.Parallel()
	for match, bodies := range map[string][]string{
		"/reviews":             {`null`, `{}`, `[{"state":"APPROVED","user":{"login":"ann"}}]`, `[{"state":"APPROVED","user":{"id":1}}]`, ``},
		"/requested_reviewers": {`{}`, `{"users":[]}`, `{"teams":[]}`, `[]`, ``},
	} {
		r := newRig(t)
		for _, body := range bodies {
			r.host.Fail(vcstest.Failure{Match: match, Times: 1, Status: 200, Body: body})
			if got, err := r.client.Reviews(t.Context(), infra, 5); err == nil {
				t.Errorf("%s of %s: got %+v", body, match, got)
			}
		}
	}
}
