package gitlabhost_test

import (
	"reflect"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func TestReviewsAreApprovalsRequestsForChangesAndWhatIsAwaited(t *testing.T) {
	t.Parallel()
	client, host, _ := withContent(t)
	host.Update(7, func(p *vcstest.Project) {
		for i, state := range []string{"requested_changes", "approved", "reviewed", "unreviewed", "review_started", "unapproved", "approved", "a state of a later version"} {
			p.Changes[0].Reviews = append(p.Changes[0].Reviews, vcstest.Review{Author: string(rune('a' + i)), AuthorID: int64(i + 1), State: state})
		}
	})
	by := func(id, login string, verdict vcshost.Verdict) vcshost.Review {
		return vcshost.Review{Author: vcshost.Profile{ID: vcs.ID(id), Login: login}, Verdict: verdict}
	}
	want := vcshost.Reviews{Requested: 4, List: []vcshost.Review{
		by("2", "b", vcshost.Approves), by("7", "g", vcshost.Approves), by("1", "a", vcshost.RequestsChanges),
	}}
	if got, err := client.Reviews(t.Context(), infra, 5); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if n := host.Asked("GET "); n != 2 {
		t.Errorf("asked %d times, want 2", n)
	}
}

func TestReviewsThatCannotBeReadAreAnError(t *testing.T) {
	t.Parallel()
	for match, bodies := range map[string][]string{
		"/approvals": {`{}`, `{"approved_by":[{"user":{"id":1}}]}`, `{"approved_by":[{"user":{"username":"a"}}]}`},
		"/reviewers": {`{}`, `[{"user":{"id":1,"username":"a"}}]`, `[{"state":"reviewed"}]`, `[null]`},
	} {
		for _, body := range bodies {
			client, host, _ := withContent(t)
			host.Fail(vcstest.Failure{Match: match, Status: 200, Body: body})
			if got, err := client.Reviews(t.Context(), infra, 5); err == nil {
				t.Errorf("%s: %s: got %+v", match, body, got)
			}
		}
	}
}
