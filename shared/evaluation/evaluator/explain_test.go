package evaluator_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/evaluation/evaluator"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// explained returns an explanation, and checks that it has stored nothing in the tables.
func (r *rig) explained(number int64) evaluator.Explanation {
	r.t.Helper()
	before := r.env.Dump("RunsTable") + r.env.Dump("EvaluationTable")
	found, err := r.Explain(r.t.Context(), r.of, number)
	r.must(err)
	if after := r.env.Dump("RunsTable") + r.env.Dump("EvaluationTable"); after != before {
		r.t.Error("an explanation has changed a table")
	}
	return found
}

// short returns what is in the way of a directory, as "RULE" or "RULE #NUMBER".
func short(list []evaluator.Block) []string {
	var made []string
	for _, b := range list {
		text := string(b.Rule)
		if number, is := b.By.Origin.PullRequest(); is {
			text += fmt.Sprintf(" #%d", number)
		}
		made = append(made, text)
	}
	return made
}

// in expects what an explanation says of a directory.
func (r *rig) in(what string, of evaluator.Explanation, dir string, blocks ...string) evaluator.Explained {
	r.t.Helper()
	i := slices.IndexFunc(of.Dirspaces, func(d evaluator.Explained) bool { return d.Dir == dir })
	if i < 0 {
		r.t.Fatalf("%s: %s is not explained: %+v", what, dir, of)
	}
	if got := short(of.Dirspaces[i].Blocks); !slices.Equal(got, blocks) {
		r.t.Errorf("%s: %s is blocked by %q, want %q", what, dir, got, blocks)
	}
	return of.Dirspaces[i]
}

func (r *rig) holders() []evaluator.Holder {
	r.t.Helper()
	list, on, err := r.Locks(r.t.Context(), r.of.Installation, lane.Query{Limit: 10})
	r.must(err)
	if on != nil {
		r.t.Errorf("there are more locks, behind %s", on)
	}
	return list
}

// TestExplanationNamesTheLockAndItsHolder follows two pull requests with one directory, at
// each host.
func TestExplanationNamesTheLockAndItsHolder(t *testing.T) {
	t.Parallel()
	for sign, rig := range map[string]func(testing.TB, map[string]string) *rig{"#": newRig, "!": newRigAtGitLab} {
		t.Run(sign, func(t *testing.T) {
			t.Parallel()
			namesTheLock(t, rig(t, twoDirs), sign)
		})
	}
}

func namesTheLock(t *testing.T, r *rig, sign string) {
	first := r.open("first", map[string]string{"net/main.tf": "a1"})
	r.in("plan waits", r.explained(first), "net", fmt.Sprintf("RUNS_IN_THE_WAY #%d", first), "PLAN_MISSING")
	r.work(nil)
	got := r.explained(first)
	net, app := r.in("planned", got, "net"), r.in("planned", got, "app")
	if !net.Planned || net.Applied || net.Plan != "valid" || net.Layer != 1 || !strings.Contains(net.Why, "net/main.tf changed") {
		t.Errorf("net: %+v", net)
	}
	if app.Planned || !strings.Contains(app.Why, "no changed file matches") {
		t.Errorf("app: %+v", app)
	}
	second := r.open("second", map[string]string{"net/other.tf": "a2"})
	r.work(nil)
	if got := r.holders(); len(got) != 0 {
		t.Errorf("nothing is applied, and there are the locks %+v", got)
	}
	since := r.Now()
	r.write(first, ann, "terraform apply")
	r.work(nil)
	if net := r.in("applied", r.explained(first), "net"); !net.Applied {
		t.Errorf("net is not applied: %+v", net)
	}
	of := fmt.Sprintf("#%d", first)
	net = r.in("locked", r.explained(second), "net", "PLAN_MISSING "+of, "LOCKED "+of)
	lock := net.Blocks[1]
	if net.Plan != "overtaken" || lock.Title != "Change first" || lock.Author != "ann" || lock.Reason != "apply" || !lock.Since.Equal(since) || lock.Command != "terraform unlock" && lock.Command != "terrateam unlock" ||
		!strings.Contains(lock.WayOut, fmt.Sprintf("Merge pull request %s%d", sign, first)) {
		t.Errorf("the lock is explained as %+v; want since %s", lock, since)
	}
	held := r.holders()
	if len(held) != 1 || held[0].PullRequest.Number != first || held[0].Title != "Change first" || held[0].Author != "ann" || held[0].Owner != "acme" || held[0].Count != 1 ||
		held[0].Set[0].Dir != "net" || held[0].Reason != "apply" || !held[0].Since.Equal(since) {
		t.Errorf("the locks are %+v", held)
	}
	_, err := r.host.MergePull(named, first, ann, "merge")
	r.must(err)
	got = r.explained(first) // the merge was not evaluated yet
	if net := r.in("merged", got, "net"); got.State != "merged" || !net.Applied {
		t.Errorf("merged: %s, %+v", got.State, net)
	}
	r.ask(lane.Request{Kind: lane.Pull, Number: first, Sender: ann.Login, SenderID: "1"})
	if got := r.holders(); len(got) != 0 {
		t.Errorf("all is merged, and there are the locks %+v", got)
	}
	r.in("after the merge", r.explained(second), "net", "PLAN_MISSING "+of)
}

// TestExplanationSaysWhatIsInTheWayOfAll has one pull request for each rule.
func TestExplanationSaysWhatIsInTheWayOfAll(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"net/main.tf": "a", ".terrateam/config.yml": "destination_branches: [ main ]\n"})
	closed := r.open("closed", map[string]string{"net/main.tf": "a1"})
	r.must(r.host.ClosePull(named, closed, ann))
	wrong := r.open("wrong", map[string]string{".terrateam/config.yml": "dirs: 7\n"})
	for what, c := range map[string]struct {
		number int64
		want   string
	}{"closed": {closed, "CLOSED"}, "mistake": {wrong, "CONFIG_INVALID"}} {
		got := r.explained(c.number)
		if rules := short(got.Blocks); !slices.Equal(rules, []string{c.want}) || len(got.Dirspaces) != 0 {
			t.Errorf("%s: blocked by %q with %d directories, want %s", what, rules, len(got.Dirspaces), c.want)
		}
	}
	if got := r.explained(wrong).Mistakes; len(got) == 0 || got[0].At.Line != 1 {
		t.Errorf("the mistakes are %v", got)
	}
	if _, err := r.Explain(t.Context(), r.of, 99); !strings.Contains(fmt.Sprint(err), vcshost.ErrGone.Error()) {
		t.Errorf("an unknown pull request: %v", err)
	}
}

// TestExplanationFollowsLayersAndRequirements has a layer that waits for another one.
func TestExplanationFollowsLayersAndRequirements(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{
		"net/main.tf": "a", "app/main.tf": "b",
		".terrateam/config.yml": `dirs:
  app:
    when_modified:
      depends_on: 'dir:net'
workflows:
  - tag_query: 'dir:net'
    environment: production
apply_requirements:
  checks:
    - tag_query: ''
      approved: { enabled: true, all_of: ['user:bob'] }
`,
	})
	n := r.open("change", map[string]string{"net/main.tf": "a1"})
	r.work(nil)
	got := r.explained(n)
	net := r.in("planned", got, "net", "REQUIREMENTS_NOT_MET")
	if net.Requirement.At.Line != 10 || net.Workflow.Line != 6 || net.Environment != "production" || !strings.Contains(net.Blocks[0].Text, "user:bob") {
		t.Errorf("net: %+v, %+v", net, net.Requirement)
	}
	if app := r.in("planned", got, "app", "EARLIER_LAYER", "REQUIREMENTS_NOT_MET"); app.Layer != 2 || app.At.Line != 4 || got.Layers != 2 {
		t.Errorf("app: %+v", app)
	}
	r.must(r.host.ReviewPull(named, n, bob, vcstest.Approve))
	r.in("approved", r.explained(n), "net")
}

// waits returns the pull requests that wait.
func (r *rig) waits() []evaluator.Waiting {
	r.t.Helper()
	list, _, err := r.Waiting(r.t.Context(), r.of.Installation, lane.Query{Limit: 10})
	r.must(err)
	return list
}

// TestWaitingPullRequestsAreListed follows a pull request from its plan to its apply.
func TestWaitingPullRequestsAreListed(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"net/main.tf": "a", "app/main.tf": "b", ".terrateam/config.yml": `apply_requirements:
  checks:
    - tag_query: 'dir:net'
      approved: { enabled: true, all_of: ['user:bob'], any_of: ['team:sre', 'role:admin'], any_of_count: 2 }
    - tag_query: ''
      approved: { enabled: false }
`})
	n := r.open("change", map[string]string{"net/main.tf": "a1", "app/main.tf": "b1"})
	if got := r.waits(); len(got) != 0 {
		t.Errorf("a run is under way, and there wait %+v", got)
	}
	since := r.Now().Add(time.Second)
	r.work(nil)
	got := r.waits()
	if len(got) != 1 || got[0].PullRequest.Number != n || got[0].For != evaluator.ForApproval || !got[0].Since.Equal(since) || got[0].Count != 1 || got[0].Dirspaces[0].Dir != "net" || got[0].Title != "Change change" ||
		fmt.Sprint(got[0].Approvals) != "[{[user:bob] 1} {[team:sre role:admin] 2}]" {
		t.Fatalf("after the plan: %+v", got)
	}
	r.host.(*vcstest.GitHub).Team("acme", "sre", "bob", true)
	r.must(r.host.ReviewPull(named, n, bob, vcstest.Approve))
	r.clock.Add(time.Minute)
	r.write(n, ann, "terraform apply")
	if got := r.waits(); len(got) != 1 || fmt.Sprint(got[0].Approvals) != "[{[team:sre role:admin] 1}]" || !got[0].Since.Equal(since) {
		t.Errorf("after one of two approvals: %+v", got)
	}
	r.write(n, ann, "terraform apply dir:app")
	r.work(nil)
	r.host.(*vcstest.GitHub).Team("acme", "sre", "rob", true)
	r.must(r.host.ReviewPull(named, n, rob, vcstest.Approve))
	r.write(n, ann, "terraform apply")
	if got := r.waits(); len(got) != 0 {
		t.Errorf("the apply is under way, and there wait %+v", got)
	}
	r.work(map[string]outcome{"net": fails})
	if got := r.waits(); len(got) != 0 {
		t.Errorf("a failed apply waits for its author, and there wait %+v", got)
	}
	free := r.open("free", map[string]string{"app/other.tf": "b2"})
	r.work(nil)
	if got := r.waits(); len(got) != 1 || got[0].PullRequest.Number != free || got[0].For != evaluator.ForApply || len(got[0].Approvals) != 0 {
		t.Errorf("planned without requirements: %+v", got)
	}
	r.must(r.host.ClosePull(named, free, ann))
	r.ask(lane.Request{Kind: lane.Pull, Number: free, Sender: ann.Login, SenderID: "1"})
	if got := r.waits(); len(got) != 0 {
		t.Errorf("closed, and there wait %+v", got)
	}
}
