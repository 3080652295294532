package evaluator_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

// TestPushesInARowNeedOnePlan plans the last of several pushes, and ends what waits for
// older ones.
func TestPushesInARowNeedOnePlan(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoDirs)
	n := r.open("change", map[string]string{"net/main.tf": "a1"})
	for i := range 9 {
		r.push(n, "change", map[string]string{"net/main.tf": fmt.Sprint("a", i+2)})
	}
	r.did("ten pushes", r.work(nil), "plan net default")
	r.expect("ten pushes", r.news(n), "## Plan: 1 directory")
	if got := r.statuses(n); got["terrateam plan: net default"] != "success" || got["terrateam apply"] != "pending" {
		t.Errorf("statuses: %v", got)
	}
}

// TestUnlockMakesPlansVoidAndFreesLocks unlocks a pull request that has applied something.
func TestUnlockMakesPlansVoidAndFreesLocks(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoDirs)
	first := r.open("first", map[string]string{"net/main.tf": "a1"})
	r.work(nil)
	r.write(first, ann, "terraform apply")
	r.work(nil)
	second := r.open("second", map[string]string{"net/other.tf": "x"})
	r.did("second", r.work(nil), "plan net default")
	r.news(second)
	r.write(second, bob, "terraform apply")
	r.expect("locked", r.news(second), "locked", "#1")
	r.write(second, bob, "terraform unlock 1")
	r.expect("unlocked", r.news(second), "Unlocked: #1")
	r.write(second, bob, "terraform apply")
	r.did("after the unlock", r.work(nil), "apply net default")
	r.said = 0
	r.news(first)
	r.write(first, ann, "terraform apply")
	r.expect("the first is void", r.news(first), "missing")
}

// TestForcedAndAutomaticApprovals covers apply requirements, apply-force and
// apply-autoapprove.
func TestForcedAndAutomaticApprovals(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"net/main.tf": "a", "app/main.tf": "b", ".terrateam/config.yml": `apply_requirements:
  checks:
    - tag_query: "dir:app"
      approved: { enabled: true, any_of: ["user:bob"], any_of_count: 1 }
    - tag_query: ""
`})
	n := r.open("change", map[string]string{"net/main.tf": "a1", "app/main.tf": "b1"})
	r.work(nil)
	r.news(n)
	r.write(n, ann, "terraform apply")
	r.expect("not approved", r.news(n), "requirements are not met", "0 approvals of 1")
	r.write(n, ann, "terraform apply dir:net")
	r.did("only net", r.work(nil), "apply net default")
	r.must(r.host.ReviewPull(named, n, bob, vcstest.Approve))
	r.write(n, ann, "terraform apply")
	r.did("approved", r.work(nil), "apply app default")
	second := r.open("second", map[string]string{"app/second.tf": "b1"})
	r.merge(n)
	r.work(nil)
	r.write(second, ann, "terraform apply-autoapprove")
	r.did("planned again after the merge", r.work(nil), "plan app default")
	r.said = 0
	r.expect("autoapprove needs approvals", r.news(second), "requirements are not met")
	r.write(second, ann, "terraform apply-force")
	r.did("forced", r.work(nil), "apply app default")
	r.must(r.host.ReviewPull(named, second, bob, vcstest.Approve))
	r.push(second, "second", map[string]string{"app/third.tf": "b1"})
	for _, a := range r.waitingRuns() {
		_, _, err := r.Runs.Abort(t.Context(), a, runstore.Abortion{Reason: run.ReasonByPerson("eve")}, r.author())
		r.must(err)
		r.end(a)
	}
	r.write(second, ann, "terraform apply-autoapprove")
	r.did("planned and applied", r.work(nil), "plan app default", "apply app default")
}

// waitingRuns returns the runs that are queued or running.
func (r *rig) waitingRuns() []run.ID {
	r.t.Helper()
	list, err := r.Runs.Active(r.t.Context(), r.of)
	r.must(err)
	var made []run.ID
	for _, a := range list {
		if a.State.Active() {
			made = append(made, a.ID)
		}
	}
	return made
}

// TestMergeAppliesByItself applies what autoapply says after the merge.
func TestMergeAppliesByItself(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"net/main.tf": "a", ".terrateam/config.yml": "when_modified: { autoapply: true }\n"})
	n := r.open("change", map[string]string{"net/main.tf": "a1"})
	r.did("opened", r.work(nil), "plan net default")
	r.merge(n)
	r.did("merged", r.work(nil), "apply net default")
	again := r.open("again", map[string]string{"net/main.tf": "a2"})
	r.did("after the merge", r.work(nil), "plan net default")
	r.write(again, ann, "terraform apply")
	r.did("nothing is locked", r.work(nil), "apply net default")
}

// TestForksAreRefusedOnce never plans the branch of a fork.
func TestForksAreRefusedOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoDirs)
	_, err := r.host.Push(named, "evil", rob, bytesOf(map[string]string{"net/main.tf": "x"}))
	r.must(err)
	n, err := r.host.OpenPull(named, rob, vcstest.Opening{Title: "Evil", Head: "evil", From: 666})
	r.must(err)
	for range 2 {
		r.ask(lane.Request{Kind: lane.Pull, Number: n, Automatic: true, Sender: "rob", SenderID: "3"})
	}
	if got := strings.Count(r.news(n), "Not started: fork"); got != 1 {
		t.Errorf("the fork was refused %d times", got)
	}
	r.write(n, ann, "terraform apply")
	r.expect("a command", r.news(n), "fork")
	r.did("fork", r.work(nil))
	if got := r.statuses(n); len(got) > 0 {
		t.Errorf("statuses: %v", got)
	}
}

// TestFailuresOfJobsAreTold says why a run has no result.
func TestFailuresOfJobsAreTold(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoDirs)
	n := r.open("change", map[string]string{"net/main.tf": "a1"})
	for _, id := range r.waitingRuns() {
		_, _, err := r.Runs.Abort(t.Context(), id, runstore.Abortion{Reason: run.ReasonJobFailed("https://ci/1")}, r.author())
		r.must(err)
		r.end(id)
	}
	r.expect("failed", r.news(n), "has no result", "https://ci/1")
	if got := r.statuses(n); got["terrateam plan: net default"] != "failure" || got["terrateam apply"] != "pending" {
		t.Errorf("statuses: %v", got)
	}
	r.write(n, ann, "terraform plan")
	r.did("again", r.work(nil), "plan net default")
}

// TestClosedPullRequestHasNothingPending ends what waits.
func TestClosedPullRequestHasNothingPending(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoDirs)
	n := r.open("change", map[string]string{"net/main.tf": "a1"})
	r.must(r.host.ClosePull(named, n, ann))
	r.ask(lane.Request{Kind: lane.Pull, Number: n, Sender: "ann", SenderID: "1"})
	r.did("closed", r.work(nil))
	for name, state := range r.statuses(n) {
		if state == "pending" {
			t.Errorf("%s is pending", name)
		}
	}
	r.must(r.host.ReopenPull(named, n, ann))
	r.ask(lane.Request{Kind: lane.Pull, Number: n, Automatic: true, Sender: "ann", SenderID: "1"})
	r.did("reopened", r.work(nil), "plan net default")
}

// TestContentIsBounded counts the requests that make content at the host, for a change of
// many directories: ten for a plan and an apply.
func TestContentIsBounded(t *testing.T) {
	t.Parallel()
	for _, dirs := range []int{2, 3, 40} {
		files, changed := map[string]string{}, map[string]string{}
		for i := range dirs {
			files[fmt.Sprintf("d%02d/main.tf", i)], changed[fmt.Sprintf("d%02d/main.tf", i)] = "a", "b"
		}
		r := newRig(t, files)
		n := r.open("change", changed)
		r.work(nil)
		r.write(n, ann, "terraform apply")
		r.work(nil)
		made := 0
		for _, line := range []string{"POST /repos/acme/infra/statuses/", "POST /repos/acme/infra/issues/", "POST /graphql", "POST /api/graphql", "PATCH "} {
			made += r.host.Asked(line)
		}
		if made == 0 || made > 10 {
			t.Errorf("%d directories: %d requests made content, want 10 at most", dirs, made)
		}
	}
}

// TestStatusOfSupersededRunIsEnded ends the status of a directory that was pending when a
// run of more directories, which have none, took the place of its run.
func TestStatusOfSupersededRunIsEnded(t *testing.T) {
	t.Parallel()
	changed := map[string]string{"a/main.tf": "a1", "b/main.tf": "b1", "c/main.tf": "c1"}
	r := newRig(t, map[string]string{"a/main.tf": "a", "b/main.tf": "b", "c/main.tf": "c"})
	n := r.open("change", changed)
	const name = "terrateam plan: a default"
	r.write(n, ann, "terraform plan dir:a")
	if got := r.statuses(n)[name]; got != "pending" {
		t.Fatalf("the status of the only directory is %q, want pending", got)
	}
	r.write(n, ann, "terraform plan")
	r.did("planned", r.work(nil), "plan a default, b default, c default")
	if got := r.statuses(n)[name]; got != "success" {
		t.Errorf("the status is %q when the run of three directories has ended, want success", got)
	}
}

// TestLimitOfContentHoldsUpNoRun parks what the host limits, and loses nothing.
func TestLimitOfContentHoldsUpNoRun(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoDirs)
	r.github.LimitContent(1, 500, r.clock.Now)
	n := r.open("change", map[string]string{"net/main.tf": "a1"})
	r.did("limited", r.work(nil), "plan net default")
	id, err := r.host.CommentOn(named, n, ann, "terraform apply")
	r.must(err)
	r.ask(lane.Request{Kind: lane.Command, Number: n, Comment: fmt.Sprint(id), Text: "terraform apply", Sender: "ann", SenderID: "1"})
	r.did("limited", r.work(nil), "apply net default")
	for range 60 {
		r.clock.Add(time.Minute)
		r.visit(t.Context(), r.Evaluator)
	}
	r.once(n, "after an hour of limits")
}

// TestMistakesOfTheConfigurationAreToldOnce says what is wrong, at each place, and plans
// nothing.
func TestMistakesOfTheConfigurationAreToldOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoDirs)
	n := r.open("change", map[string]string{".terrateam/config.yml": "workflow: []\nenabled: 1\n"})
	r.expect("mistakes", r.news(n), "has mistakes", "workflows", "config.yml:1", "config.yml:2")
	r.push(n, "change", map[string]string{"net/main.tf": "a1"})
	r.expect("the same mistakes", r.news(n))
	r.push(n, "change", map[string]string{".terrateam/config.yml": "{}"})
	r.did("corrected", r.work(nil), "plan net default")
}

// TestEqualCommandsAtOnceMakeOneRun evaluates two commands that came together.
func TestEqualCommandsAtOnceMakeOneRun(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoDirs)
	n := r.open("change", map[string]string{"net/main.tf": "a1"})
	r.work(nil)
	r.news(n)
	for range 2 {
		id, err := r.host.CommentOn(named, n, ann, "terraform apply")
		r.must(err)
		r.must(r.Lanes.Ask(t.Context(), lane.Request{
			Kind: lane.Command, Repository: r.of, Number: n, Comment: fmt.Sprint(id), Text: "terraform apply", Sender: "ann", SenderID: "1", At: r.Now(),
		}, r.Now()))
	}
	r.evaluate()
	r.expect("the second", r.news(n), "other runs work", "apply of #1")
	r.did("two applies", r.work(nil), "apply net default")
}

// TestUnlockIsNotRepeatedForLaterPlans plans again in the same visit in which the unlock
// is carried out.
func TestUnlockIsNotRepeatedForLaterPlans(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoDirs)
	n := r.open("change", map[string]string{"net/main.tf": "a1"})
	r.work(nil)
	for i, text := range []string{"terraform unlock", "terraform plan"} {
		id, err := r.host.CommentOn(named, n, ann, text)
		r.must(err)
		r.must(r.Lanes.Ask(t.Context(), lane.Request{
			Kind: lane.Command, Repository: r.of, Number: n, Comment: fmt.Sprint(id), Text: text, Sender: "ann", SenderID: "1", At: r.Now().Add(time.Duration(i) * time.Millisecond),
		}, r.Now()))
	}
	r.evaluate()
	r.did("planned after the unlock", r.work(nil), "plan net default")
	r.write(n, ann, "terraform apply")
	r.did("applied", r.work(nil), "apply net default")
}

// TestProseDoesNotApply refuses a sentence that is a command by accident.
func TestProseDoesNotApply(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoDirs)
	n := r.open("change", map[string]string{"net/main.tf": "a1"})
	r.work(nil)
	r.news(n)
	r.write(n, ann, "Terraform apply not yet")
	r.expect("prose", r.news(n), "Not applied", "`yet`")
	r.did("prose", r.work(nil))
	r.write(n, ann, "terraform apply not dir:app")
	r.did("a directory that exists", r.work(nil), "apply net default")
}

// TestRepositoryIsFoundInTheListWhereIdsAreNoAddresses plans at a host that serves no
// repository by its id.
func TestRepositoryIsFoundInTheListWhereIdsAreNoAddresses(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoDirs)
	r.github.Fail(vcstest.Failure{Match: "GET /repositories/", Status: 404, Body: `{"message":"Not Found"}`})
	n := r.open("change", map[string]string{"net/main.tf": "a1"})
	r.did("opened", r.work(nil), "plan net default")
	r.expect("planned", r.news(n), "## Plan: 1 directory")
}
