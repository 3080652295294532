package githubhost_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/evaluation/evaluator"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

var _ evaluator.Host = (*githubhost.Installation)(nil)

// call is one call of a client, which a test disturbs.
type call struct {
	// match is the request of the call that is disturbed.
	match string
	// requests is the number of requests that the call sends.
	requests int
	do       func(ctx context.Context, r *rig, comment string) error
	// gone is what the call returns if the host has no such thing.
	gone error
}

// reads and writes are all calls of evaluations. The comment is one of the App.
var (
	reads = map[string]call{
		"PullRequest": {"GET /repos/acme/infra/pulls/5", 1, func(ctx context.Context, r *rig, _ string) error {
			_, err := r.client.PullRequest(ctx, infra, 5)
			return err
		}, vcshost.ErrGone},
		"File": {"GET /repos/acme/infra/contents/", 1, func(ctx context.Context, r *rig, _ string) error {
			_, err := r.client.File(ctx, infra, "a/main.tf", r.head)
			return err
		}, vcshost.ErrGone},
		"Tree": {"GET /repos/acme/infra/git/trees/", 1, func(ctx context.Context, r *rig, _ string) error {
			_, err := r.client.Tree(ctx, infra, r.head)
			return err
		}, vcshost.ErrGone},
		"Changes": {"GET /repos/acme/infra/compare/", 1, func(ctx context.Context, r *rig, _ string) error {
			_, err := r.client.Changes(ctx, infra, r.base, r.head)
			return err
		}, vcshost.ErrGone},
		"Reviews": {"GET /repos/acme/infra/pulls/5/reviews", 2, func(ctx context.Context, r *rig, _ string) error {
			_, err := r.client.Reviews(ctx, infra, 5)
			return err
		}, vcshost.ErrGone},
		"Reviews, requested": {"GET /repos/acme/infra/pulls/5/requested_reviewers", 2, func(ctx context.Context, r *rig, _ string) error {
			_, err := r.client.Reviews(ctx, infra, 5)
			return err
		}, vcshost.ErrGone},
		"Checks, statuses": {"/status", 2, func(ctx context.Context, r *rig, _ string) error {
			_, err := r.client.Checks(ctx, infra, r.head)
			return err
		}, vcshost.ErrGone},
		"Checks, check runs": {"/check-runs", 2, func(ctx context.Context, r *rig, _ string) error {
			_, err := r.client.Checks(ctx, infra, r.head)
			return err
		}, vcshost.ErrGone},
		"Role": {"/permission", 1, func(ctx context.Context, r *rig, _ string) error {
			_, err := r.client.Role(ctx, infra, ann)
			return err
		}, nil},
		"InTeam": {"GET /orgs/acme/teams/", 1, func(ctx context.Context, r *rig, _ string) error {
			_, err := r.client.InTeam(ctx, infra, "sre", ann)
			return err
		}, nil},
		"FindComment": {"GET /repos/acme/infra/issues/5/comments", 1, func(ctx context.Context, r *rig, _ string) error {
			_, err := r.client.FindComment(ctx, infra, 5, marker)
			return err
		}, vcshost.ErrGone},
	}
	writes = map[string]call{
		"SetStatus": {"POST /repos/acme/infra/statuses/", 1, func(ctx context.Context, r *rig, _ string) error {
			return r.client.SetStatus(ctx, infra, r.head, vcshost.CommitStatus{Name: "terrateam apply", State: vcshost.CheckPending})
		}, vcshost.ErrGone},
		"CreateComment": {"POST /repos/acme/infra/issues/5/comments", 1, func(ctx context.Context, r *rig, _ string) error {
			_, err := r.client.CreateComment(ctx, infra, 5, "text\n"+marker)
			return err
		}, vcshost.ErrGone},
		"EditComment": {"PATCH /repos/acme/infra/issues/comments/", 1, func(ctx context.Context, r *rig, comment string) error {
			return r.client.EditComment(ctx, infra, 5, comment, "other")
		}, vcshost.ErrGone},
		"HideComment": {"POST /api/graphql", 2, func(ctx context.Context, r *rig, comment string) error {
			return r.client.HideComment(ctx, infra, 5, comment)
		}, nil},
		"DeleteComment": {"DELETE /repos/acme/infra/issues/comments/", 1, func(ctx context.Context, r *rig, comment string) error {
			return r.client.DeleteComment(ctx, infra, 5, comment)
		}, nil},
		"React": {"POST /repos/acme/infra/issues/comments/", 1, func(ctx context.Context, r *rig, comment string) error {
			return r.client.React(ctx, infra, 5, comment)
		}, vcshost.ErrGone},
		"Merge": {"PUT /repos/acme/infra/pulls/5/merge", 3, func(ctx context.Context, r *rig, _ string) error {
			return r.client.Merge(ctx, infra, 5, vcshost.Merge{Head: r.head, Method: vcshost.MergeAuto})
		}, vcshost.ErrGone},
		"DeleteBranch": {"DELETE /repos/acme/infra/git/refs/heads/", 1, func(ctx context.Context, r *rig, _ string) error {
			return r.client.DeleteBranch(ctx, infra, "feature")
		}, nil},
	}
)

// prepared returns a rig with what every call needs, and the id of a comment of the App.
func prepared(t *testing.T) (*rig, string) {
	t.Helper()
	r := newRig(t)
	r.host.Permit("acme", "infra", "ann", 1, "maintain")
	r.host.Team("acme", "sre", "ann", true)
	comment, err := r.client.CreateComment(t.Context(), infra, 5, "text\n"+marker)
	if err != nil {
		t.Fatal(err)
	}
	return r, comment.ID
}

// everyCall runs a test with every call of a group, at the same time.
func everyCall(t *testing.T, calls map[string]call, test func(t *testing.T, c call, r *rig, comment string)) {
	t.Helper()
	for name, c := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, comment := prepared(t)
			test(t, c, r, comment)
		})
	}
}

func TestEachCallSendsFewRequests(t *testing.T) {
	t.Parallel()
	for _, calls := range []map[string]call{reads, writes} {
		everyCall(t, calls, func(t *testing.T, c call, r *rig, comment string) {
			before := r.requests()
			if err := c.do(t.Context(), r, comment); err != nil {
				t.Error(err)
			}
			if n := r.requests() - before; n != c.requests {
				t.Errorf("%d requests were sent, want %d", n, c.requests)
			}
		})
	}
}

func TestEachCallSaysHowLongTheHostIsLimited(t *testing.T) {
	t.Parallel()
	for _, calls := range []map[string]call{reads, writes} {
		everyCall(t, calls, func(t *testing.T, c call, r *rig, comment string) {
			r.host.Fail(vcstest.Failure{Match: c.match, Status: http.StatusForbidden, Header: http.Header{"Retry-After": {"30"}}, Body: `{"message":"You have exceeded a secondary rate limit"}`})
			err := c.do(t.Context(), r, comment)
			if !limitedTo(30*time.Second, 30*time.Second)(err) || !vcshost.NothingDone(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestEachCallSaysThatSomethingIsGone(t *testing.T) {
	t.Parallel()
	for _, calls := range []map[string]call{reads, writes} {
		everyCall(t, calls, func(t *testing.T, c call, r *rig, comment string) {
			r.host.Fail(vcstest.Failure{Match: c.match, Status: http.StatusNotFound, Body: `{"message":"Not Found"}`})
			if err := c.do(t.Context(), r, comment); !errors.Is(err, c.gone) {
				t.Errorf("got %v, want %v", err, c.gone)
			}
		})
	}
}

func TestEachCallSaysThatAPermissionIsMissing(t *testing.T) {
	t.Parallel()
	for _, calls := range []map[string]call{reads, writes} {
		everyCall(t, calls, func(t *testing.T, c call, r *rig, comment string) {
			r.host.Fail(vcstest.Failure{Match: c.match, Status: http.StatusForbidden, Body: `{"message":"Resource not accessible by integration"}`})
			var refusal *vcshost.Refusal
			if err := c.do(t.Context(), r, comment); !errors.As(err, &refusal) || refusal.Words != "Resource not accessible by integration" {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestWriteIsSentOnceAndItsOutcomeIsUnknownIfTheResponseIsLost also repeats those writes
// that may be repeated.
func TestWriteIsSentOnceAndItsOutcomeIsUnknownIfTheResponseIsLost(t *testing.T) {
	t.Parallel()
	for _, status := range []int{0, http.StatusBadGateway} {
		everyCall(t, writes, func(t *testing.T, c call, r *rig, comment string) {
			r.host.Fail(vcstest.Failure{Match: c.match, Times: 1, Late: true, Status: status})
			before := r.host.Asked(c.match)
			if err := c.do(t.Context(), r, comment); err == nil || vcshost.NothingDone(err) {
				t.Errorf("got %v", err)
			}
			if n := r.host.Asked(c.match) - before; n > 1 {
				t.Errorf("the write was sent %d times", n)
			}
			if c.match == writes["CreateComment"].match {
				found, err := r.client.FindComment(t.Context(), infra, 5, marker)
				if all := r.comments(); err != nil || len(all) != 2 || found.ID == comment {
					t.Errorf("found %+v, %v, among %+v", found, err, all)
				}
				return
			}
			if err := c.do(t.Context(), r, comment); err != nil {
				t.Errorf("repeated: %v", err)
			}
		})
	}
}

// TestLimitOfContentHoldsUpNothingElse also counts: while the limit lasts, no content is
// sent.
func TestLimitOfContentHoldsUpNothingElse(t *testing.T) {
	t.Parallel()
	r, comment := prepared(t)
	r.host.Fail(vcstest.Failure{
		Match: "/issues/5/comments", Times: 1, Status: http.StatusForbidden, Header: http.Header{"Retry-After": {"60"}},
		Body: `{"message":"You have exceeded a secondary rate limit","documentation_url":"https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`,
	})
	if _, err := r.client.CreateComment(t.Context(), infra, 5, "text"); !limitedTo(time.Minute, time.Minute)(err) {
		t.Fatalf("got %v", err)
	}
	for name, c := range writes {
		before := r.host.Asked(c.match)
		if err := c.do(t.Context(), r, comment); !limitedTo(50*time.Second, time.Minute)(err) || !vcshost.NothingDone(err) {
			t.Errorf("%s: got %v", name, err)
		}
		if n := r.host.Asked(c.match) - before; n != 0 {
			t.Errorf("%s: %d requests were sent", name, n)
		}
	}
	for name, c := range reads {
		if err := c.do(t.Context(), r, comment); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.content.Commit("main", map[string][]byte{githubhost.Workflow: []byte("name: Terrateam Workflow")})
	if run, err := r.client.StartCI(t.Context(), infra, start); err != nil || run.ID == "" {
		t.Errorf("a run: got %+v, %v", run, err)
	}
}

func TestStandInLimitsWhatMakesContentByMinuteAndHour(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	r.host.LimitContent(80, 500, func() time.Time { return now })
	sent := 0
	for minute := range 120 {
		for {
			err := r.client.SetStatus(t.Context(), infra, r.head, vcshost.CommitStatus{Name: "a", State: vcshost.CheckPending})
			if err != nil {
				if !limitedTo(time.Second, time.Hour+time.Second)(err) {
					t.Fatal(err)
				}
				break
			}
			sent++
		}
		if most := min(80*(minute+1), 500*(1+minute/60)); sent != most && minute < 60 {
			t.Fatalf("%d statuses in minute %d, want %d", sent, minute, most)
		}
		now = now.Add(time.Minute)
	}
	r.content.Commit("main", map[string][]byte{githubhost.Workflow: []byte("name: Terrateam Workflow")})
	if _, err := r.client.StartCI(t.Context(), infra, start); err != nil {
		t.Errorf("a run: %v", err)
	}
	if sent != 1_000 {
		t.Errorf("%d statuses in two hours, want 1,000", sent)
	}
}
