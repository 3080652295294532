package evaluator_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

func (r *rig) tell(fault bool, format string, args ...any) {
	r.t.Helper()
	if fault {
		r.t.Errorf("FAULT "+format, args...)
	} else {
		r.t.Logf("fine "+format, args...)
	}
}

func TestOrev1(t *testing.T) {
	t.Run("A closed loses lock", func(t *testing.T) {
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
		r.tell(after == 0, "locks %d -> %d after close; second did %q", before, after, did)
	})
	t.Run("B help on a foreign old merged", func(t *testing.T) {
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
		r.tell(len(held) > 0, "holders %d; second did %q: %.300s", len(held), did, r.news(second))
	})
	t.Run("C stacked", func(t *testing.T) {
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
		r.tell(len(held) > 0, "holders %d; second did %q: %.300s", len(held), did, r.news(second))
	})
	t.Run("D autoapprove leaks its query", func(t *testing.T) {
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
		r.tell(slices.Contains(did, "apply app default"), "did %q", did)
	})
	t.Run("E lost result", func(t *testing.T) {
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
		r.tell(!strings.Contains(got, "## Plan"), "comments: %.300s", got)
	})
	t.Run("F unlock without access", func(t *testing.T) {
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
		r.tell(len(r.holders()) == 0, "locks %d, after refused unlock %d, after unlock on the closed one %d", before, middle, len(r.holders()))
	})
	t.Run("G pending for ever", func(t *testing.T) {
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
		r.tell(got["terrateam plan: a default"] == "pending", "did %q, statuses %v", did, got)
	})
	t.Run("I autoapply before the merge", func(t *testing.T) {
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
		r.tell(strings.Contains(strings.Join(did, ";"), "apply app"), "did %q %s", did, r.news(n))
	})
	t.Run("J two merges", func(t *testing.T) {
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
		r.tell(len(did) > 0, "did %q: %.200s", did, r.news(first))
	})
	t.Run("M drift stale", func(t *testing.T) {
		r := newRig(t, map[string]string{"net/main.tf": "a", ".terrateam/config.yml": "drift:\n  enabled: true\n  schedules:\n    nightly: { schedule: daily, tag_query: '', reconcile: true }\n"})
		r.ask(lane.Request{Kind: lane.Push})
		_, err := r.host.Push(named, "main", ann, bytesOf(map[string]string{"net/main.tf": "pushed"}))
		r.must(err)
		r.ask(lane.Request{Kind: lane.Push})
		did := r.work(nil)
		r.tell(slices.Contains(did, "apply net default"), "did %q", did)
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
