package evaluator_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

// never fails the test if something has happened that must not. The rest says what.
func (r *rig) never(happened bool, format string, args ...any) {
	r.t.Helper()
	if happened {
		r.t.Errorf(format, args...)
	}
}

// TestRulesHoldInUnusualOrders has events in orders in which a rule is easily forgotten.
func TestRulesHoldInUnusualOrders(t *testing.T) {
	t.Parallel()
	t.Run("another tag does not escape the rules of the default branch", func(t *testing.T) {
		t.Parallel()
		main := "dirs: {'v/**/*.tf': {tags: [prod]}}\naccess_control: {policies: [{tag_query: prod, apply: ['user:ann']}, {tag_query: ''}]}\n" +
			"apply_requirements: {checks: [{tag_query: prod, approved: {enabled: true, any_of: ['user:bob']}}, {tag_query: ''}]}\n"
		r := newRig(t, map[string]string{"v/a/main.tf": "a", ".terrateam/config.yml": main})
		n := r.open("change", map[string]string{"v/a/main.tf": "b", ".terrateam/config.yml": strings.Replace(main, "[prod]", "[toy]", 1)})
		r.work(nil)
		r.news(n)
		r.write(n, bob, "terraform apply")
		r.expect("access", r.news(n), "may not apply")
		r.write(n, ann, "terraform apply")
		r.expect("approval", r.news(n), "requirements are not met")
		r.never(len(r.work(nil)) > 0, "it was applied")
	})
	t.Run("the comment of an apply counts what was applied", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, twoDirs)
		n := r.open("change", map[string]string{"net/main.tf": "a1", "app/main.tf": "b1"})
		r.work(nil)
		r.write(n, ann, "terraform apply dir:net")
		r.news(n)
		r.work(nil)
		r.expect("a part", r.news(n), "## Apply: 1 directory\n\n1 created", "1 to create (earlier run)", "To apply the rest: `terraform apply`")
	})
	t.Run("a partial apply keeps its lock when the pull request is closed", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, twoDirs)
		n := r.open("first", map[string]string{"net/main.tf": "a1", "app/main.tf": "b1"})
		r.work(nil)
		r.write(n, ann, "terraform apply dir:net")
		r.work(nil)
		before := len(r.holders())
		r.must(r.host.ClosePull(named, n, ann))
		r.ask(lane.Request{Kind: lane.Pull, Number: n, Sender: "ann", SenderID: "1"})
		after := len(r.holders())
		second := r.open("second", map[string]string{"app/other.tf": "a2"})
		r.work(nil)
		r.write(second, bob, "terraform apply")
		did := r.work(nil)
		r.never(after == 0, "locks %d -> %d after close; second did %q", before, after, did)
	})
	t.Run("nobody locks by asking for help in an old pull request", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, twoDirs)
		_, err := r.host.Push(named, "old", ann, bytesOf(map[string]string{"net/main.tf": "a1"}))
		r.must(err)
		old, err := r.host.OpenPull(named, ann, vcstest.Opening{Title: "old", Head: "old"})
		r.must(err)
		_, err = r.host.MergePull(named, old, ann, "merge")
		r.must(err)
		second := r.open("second", map[string]string{"net/other.tf": "a2"})
		r.work(nil)
		r.write(old, rob, "terraform help")
		held := r.holders()
		r.news(second)
		r.write(second, bob, "terraform apply")
		did := r.work(nil)
		r.never(len(held) > 0, "holders %d; second did %q: %.300s", len(held), did, r.news(second))
	})
	t.Run("a merge into a branch that is no destination locks nothing", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, twoDirs)
		second := r.open("second", map[string]string{"net/other.tf": "a2"})
		r.work(nil)
		_, err := r.host.Push(named, "feat", ann, bytesOf(map[string]string{"README.md": "x"}))
		r.must(err)
		_, err = r.host.Push(named, "featb", ann, bytesOf(map[string]string{"net/main.tf": "x"}))
		r.must(err)
		n, err := r.host.OpenPull(named, ann, vcstest.Opening{Title: "stacked", Head: "featb", Base: "feat"})
		r.must(err)
		r.ask(lane.Request{Kind: lane.Pull, Number: n, Automatic: true, Sender: ann.Login, SenderID: "1"})
		r.did("stacked", r.work(nil))
		_, err = r.host.MergePull(named, n, ann, "merge")
		r.must(err)
		r.ask(lane.Request{Kind: lane.Pull, Number: n, Sender: ann.Login, SenderID: "1"})
		held := r.holders()
		r.news(second)
		r.write(second, bob, "terraform plan")
		r.work(nil)
		r.news(second)
		r.write(second, bob, "terraform apply")
		did := r.work(nil)
		r.never(len(held) > 0, "holders %d; second did %q: %.300s", len(held), did, r.news(second))
	})
	t.Run("apply-autoapprove applies what its query names and no more", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, map[string]string{"net/main.tf": "a", "app/main.tf": "b", ".terrateam/config.yml": `dirs:
  net:
    when_modified: { autoplan: false }
  app:
    when_modified:
      depends_on: 'dir:net'
`})
		n := r.open("change", map[string]string{"net/main.tf": "a1"})
		r.work(nil)
		r.write(n, ann, "terraform apply-autoapprove dir:net")
		did := r.work(map[string]outcome{"net": same})
		r.never(slices.Contains(did, "apply app default"), "did %q", did)
	})
	t.Run("a result is told although another run of the job is aborted last", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, map[string]string{"net/main.tf": "a", ".terrateam/config.yml": "dirs:\n  net:\n    workspaces: { one: {}, two: {} }\n"})
		n := r.open("change", map[string]string{"net/main.tf": "a1"})
		claimed, _, err := r.Runs.Claim(t.Context(), r.of, 60e9, r.author())
		r.must(err)
		r.run(claimed.ID, nil)
		for _, id := range r.waitingRuns() {
			_, _, err := r.Runs.Abort(t.Context(), id, runstore.Abortion{Reason: run.ReasonJobFailed("https://ci/1")}, r.author())
			r.must(err)
			r.end(id)
		}
		got := r.news(n)
		r.never(!strings.Contains(got, "## Plan"), "comments: %.300s", got)
	})
	t.Run("access_control.unlock counts in a pull request whose configuration is not read", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, map[string]string{"net/main.tf": "a", ".terrateam/config.yml": "access_control:\n  enabled: true\n  unlock: ['user:bob']\n  policies: [ { tag_query: '' } ]\n"})
		n := r.open("change", map[string]string{"net/main.tf": "a1"})
		r.work(nil)
		r.write(n, ann, "terraform apply")
		r.work(nil)
		before := len(r.holders())
		closed := r.open("closed", map[string]string{"net/other.tf": "a1"})
		r.work(nil)
		r.write(closed, ann, "terraform unlock 1")
		middle := len(r.holders())
		r.must(r.host.ClosePull(named, closed, ann))
		r.write(closed, ann, "terraform unlock 1")
		r.never(len(r.holders()) == 0, "locks %d, after refused unlock %d, after unlock on the closed one %d", before, middle, len(r.holders()))
	})
	t.Run("a run that was not admitted leaves no status pending", func(t *testing.T) {
		t.Parallel()
		files, changed := map[string]string{}, map[string]string{}
		for _, d := range strings.Split("abcdefgh", "") {
			files[d+"/main.tf"], changed[d+"/main.tf"] = "a", "b"
		}
		r := newRig(t, files)
		n := r.open("change", changed)
		r.work(nil)
		r.write(n, ann, "terraform plan dir:a")
		r.write(n, ann, "terraform plan")
		for _, id := range r.ended() {
			r.end(id)
		}
		did := r.work(nil)
		got := r.statuses(n)
		r.never(got["terrateam plan: a default"] == "pending", "did %q, statuses %v", did, got)
	})
	t.Run("autoapply waits for the merge", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, map[string]string{"net/main.tf": "a", "app/main.tf": "b", ".terrateam/config.yml": `dirs:
  app:
    when_modified: { autoapply: true }
stacks:
  names:
    quick: { tag_query: 'dir:net', rules: { auto_apply: true } }
    slow: { tag_query: 'not dir:net' }
apply_requirements:
  checks:
    - tag_query: ''
      approved: { enabled: true, all_of: ['user:bob'] }
`})
		n := r.open("change", map[string]string{"net/main.tf": "a1", "app/main.tf": "b1"})
		did := r.work(nil)
		r.never(strings.Contains(strings.Join(did, ";"), "apply app"), "did %q %s", did, r.news(n))
	})
	t.Run("an old plan of a merged pull request does not count after another merge", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, map[string]string{"net/main.tf": "a", "app/main.tf": "b", "modules/x/main.txt": "c"})
		first := r.open("first", map[string]string{"net/main.tf": "a1"})
		r.work(nil)
		second := r.open("second", map[string]string{"app/main.tf": "b1", "modules/x/main.txt": "c1"})
		r.work(nil)
		r.merge(first)
		r.merge(second)
		r.news(first)
		r.write(first, ann, "terraform apply")
		did := r.work(nil)
		r.never(len(did) > 0, "did %q: %.200s", did, r.news(first))
	})
	t.Run("drift of an older commit is not reconciled", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, map[string]string{"net/main.tf": "a", ".terrateam/config.yml": "drift:\n  enabled: true\n  schedules:\n    nightly: { schedule: daily, tag_query: '', reconcile: true }\n"})
		r.ask(lane.Request{Kind: lane.Push})
		_, err := r.host.Push(named, "main", ann, bytesOf(map[string]string{"net/main.tf": "pushed"}))
		r.must(err)
		r.ask(lane.Request{Kind: lane.Push})
		did := r.work(nil)
		r.never(slices.Contains(did, "apply net default"), "did %q", did)
	})
	t.Run("a merge locks what is not applied", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, twoDirs)
		first := r.open("first", map[string]string{"net/main.tf": "a1"})
		r.work(nil)
		second := r.open("second", map[string]string{"net/other.tf": "a2"})
		r.work(nil)
		r.merge(first)
		held := len(r.holders())
		r.write(second, bob, "terraform plan")
		r.work(nil)
		r.news(second)
		r.write(second, bob, "terraform apply")
		did := r.work(nil)
		r.never(len(did) > 0, "Locks lists %d; second did %q: %.200s", held, did, r.news(second))
	})
	t.Run("a merge frees its lock although the configuration has mistakes", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, twoDirs)
		first := r.open("first", map[string]string{"net/main.tf": "a1"})
		r.work(nil)
		r.write(first, ann, "terraform apply")
		r.work(nil)
		_, err := r.host.Push(named, "main", ann, bytesOf(map[string]string{".terrateam/config.yml": "enabled: 1\n"}))
		r.must(err)
		r.merge(first)
		_, err = r.host.Push(named, "main", ann, bytesOf(map[string]string{".terrateam/config.yml": "{}"}))
		r.must(err)
		second := r.open("second", map[string]string{"net/other.tf": "a2", ".terrateam/config.yml": "{}"})
		r.work(nil)
		r.news(second)
		r.write(second, bob, "terraform apply")
		did := r.work(nil)
		r.never(len(did) == 0, "second did %q: %.400s", did, r.news(second))
	})
	t.Run("an apply is not started long after it was decided", func(t *testing.T) {
		t.Parallel()
		for nth := 10; nth < 70; nth++ {
			r := newRig(t, map[string]string{"net/main.tf": "a", ".terrateam/config.yml": "apply_requirements:\n  checks:\n    - tag_query: ''\n      approved: { enabled: true, all_of: ['user:bob'] }\n"})
			n := r.open("change", map[string]string{"net/main.tf": "a1"})
			r.work(nil)
			r.must(r.host.ReviewPull(named, n, bob, vcstest.Approve))
			id, err := r.host.CommentOn(named, n, ann, "terraform apply")
			r.must(err)
			r.must(r.Lanes.Ask(t.Context(), lane.Request{Kind: lane.Command, Number: n, Comment: fmt.Sprint(id), Text: "terraform apply", Sender: "ann", SenderID: "1", Repository: repository, At: r.Now()}, r.Now()))
			r.dies(nth)
			if len(r.waitingRuns()) > 0 || !strings.Contains(r.env.Dump("EvaluationTable"), "DECISION#") {
				continue
			}
			r.must(r.host.ReviewPull(named, n, bob, vcstest.RequestChanges))
			r.clock.Add(12 * time.Hour)
			r.visit(t.Context(), r.Evaluator)
			did := r.work(nil)
			r.never(len(did) > 0, "death at %d, 12 hours later, approval taken back: did %q", nth, did)
			return
		}
		t.Log("not reached")
	})
	t.Run("nothing is said about a fork where this server is turned off", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, map[string]string{"README.md": "a", ".terrateam/config.yml": "enabled: false\n"})
		_, err := r.host.Push(named, "evil", rob, bytesOf(map[string]string{"README.md": "x"}))
		r.must(err)
		n, err := r.host.OpenPull(named, rob, vcstest.Opening{Title: "Evil", Head: "evil", From: 666})
		r.must(err)
		r.ask(lane.Request{Kind: lane.Pull, Number: n, Automatic: true, Sender: "rob", SenderID: "3"})
		got := r.news(n)
		r.never(got != "", "%.200s", got)
	})
	t.Run("a policy for some does not let readers apply", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, map[string]string{"net/main.tf": "a", ".terrateam/config.yml": "access_control:\n  policies: [ { tag_query: '', apply_force: ['user:bob'] } ]\n"})
		n := r.open("change", map[string]string{"net/main.tf": "a1"})
		r.work(nil)
		r.write(n, rob, "terraform apply")
		did := r.work(nil)
		r.never(len(did) > 0, "did %q %.200s", did, r.news(n))
	})
	t.Run("an apply does not free what was locked before", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, twoDirs)
		n := r.open("change", map[string]string{"net/main.tf": "a1", "app/main.tf": "b1"})
		r.work(nil)
		r.write(n, ann, "terraform apply dir:net")
		r.work(nil)
		r.push(n, "change", map[string]string{"net/main.tf": "a2", "app/main.tf": "b"})
		r.work(nil)
		middle := r.holders()
		r.write(n, ann, "terraform apply dir:net")
		r.work(nil)
		after := r.holders()
		r.never(len(after) != 1 || after[0].Count != middle[0].Count, "%+v then %+v", middle, after)
	})
	t.Run("a merge that was refused is tried again for the next head", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, map[string]string{"net/main.tf": "a", ".terrateam/config.yml": "automerge: { enabled: true }\n"})
		n := r.open("change", map[string]string{"net/main.tf": "a1"})
		r.work(nil)
		r.host.Choose(func(line string) *vcstest.Failure {
			if strings.HasPrefix(line, "PUT ") && strings.Contains(line, "/merge") {
				return &vcstest.Failure{Status: 405}
			}
			return nil
		})
		r.write(n, ann, "terraform apply")
		r.work(nil)
		text := r.news(n)
		r.host.Choose(func(string) *vcstest.Failure { return nil })
		r.push(n, "change", map[string]string{"net/main.tf": "a2"})
		r.work(nil)
		r.write(n, ann, "terraform apply")
		did := r.work(nil)
		p, err := r.host.Pull(named, n)
		r.must(err)
		r.never(p.State != "merged", "did %q, state %s; first: %s", did, p.State, text)
	})
}

// ended returns the runs that were aborted and are not folded.
func (r *rig) ended() []run.ID {
	list, err := r.Runs.Active(r.t.Context(), r.of)
	r.must(err)
	var made []run.ID
	for _, a := range list {
		if !a.State.Active() {
			made = append(made, a.ID)
		}
	}
	return made
}
