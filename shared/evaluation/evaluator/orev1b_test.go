package evaluator_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
)

func TestOrev2(t *testing.T) {
	t.Run("K lock by merge", func(t *testing.T) {
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
		r.tell(len(did) > 0, "Locks lists %d; second did %q: %.200s", held, did, r.news(second))
	})
	t.Run("L lock after merge with mistakes", func(t *testing.T) {
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
		r.tell(len(did) == 0, "second did %q: %.400s", did, r.news(second))
	})
	t.Run("P requirement after a crash", func(t *testing.T) {
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
			r.tell(len(did) > 0, "death at %d, 12 hours later, approval taken back: did %q", nth, did)
			return
		}
		t.Log("not reached")
	})
	t.Run("R fork of a disabled repository", func(t *testing.T) {
		r := newRig(t, map[string]string{"README.md": "a", ".terrateam/config.yml": "enabled: false\n"})
		_, err := r.host.Push(named, "evil", rob, bytesOf(map[string]string{"README.md": "x"}))
		r.must(err)
		n, err := r.host.OpenPull(named, rob, vcstest.Opening{Title: "Evil", Head: "evil", From: 666})
		r.must(err)
		r.ask(lane.Request{Kind: lane.Pull, Number: n, Automatic: true, Sender: "rob", SenderID: "3"})
		got := r.news(n)
		r.tell(got != "", "%.200s", got)
	})
	t.Run("S reader applies", func(t *testing.T) {
		r := newRig(t, map[string]string{"net/main.tf": "a", ".terrateam/config.yml": "access_control:\n  policies: [ { tag_query: '', apply_force: ['user:bob'] } ]\n"})
		n := r.open("change", map[string]string{"net/main.tf": "a1"})
		r.work(nil)
		r.write(n, rob, "terraform apply")
		did := r.work(nil)
		r.tell(len(did) > 0, "did %q %.200s", did, r.news(n))
	})
	t.Run("U shrink", func(t *testing.T) {
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
		r.tell(len(after) != 1 || after[0].Count != middle[0].Count, "%+v then %+v", middle, after)
	})
	t.Run("O automerge once", func(t *testing.T) {
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
		r.tell(p.State != "merged", "did %q, state %s; first: %s", did, p.State, text)
	})
}
