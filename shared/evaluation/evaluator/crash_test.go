package evaluator_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/death"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/evaluation/evaluator"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
)

// dies evaluates the lane until the evaluator dies at its nth request. It reports whether
// it got so far.
func (r *rig) dies(nth int) bool {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	d := &death.Death{Nth: nth, HostActs: true, Kill: cancel}
	r.host.Choose(d.Host)
	e := r.over(r.env.WithFaults(&storagetest.Faults{Choose: d.Storage}))
	r.visit(ctx, e)
	r.host.Choose(func(string) *vcstest.Failure { return nil })
	return d.Came()
}

func (r *rig) visit(ctx context.Context, e *evaluator.Evaluator) {
	for again := true; again; {
		held, ok, err := e.Lanes.Enter(ctx, r.of, e.Now())
		if err != nil || !ok || e.Lane(ctx, held) != nil {
			return
		}
		again, _ = held.Leave(ctx)
	}
}

// TestEvaluationIsResumedAfterADeathAtEachRequest kills the evaluator at each of its
// requests, in a command and at the end of a run: later it goes on, and everything is said
// and done once.
func TestEvaluationIsResumedAfterADeathAtEachRequest(t *testing.T) {
	t.Parallel()
	step := storagetest.Sample(2, 13)
	for nth, there := 1, true; there; nth += step {
		r := newRig(t, twoDirs)
		n := r.open("change", map[string]string{"net/main.tf": "a1"})
		r.work(nil)
		id, err := r.host.CommentOn(named, n, ann, "terraform apply")
		r.must(err)
		r.must(r.Lanes.Ask(t.Context(), lane.Request{
			Kind: lane.Command, Number: n, Comment: fmt.Sprint(id), Text: "terraform apply", Sender: "ann", SenderID: "1", Repository: repository, At: r.Now(),
		}, r.Now()))
		there = r.dies(nth)
		for range 3 {
			r.clock.Add(2 * time.Minute)
			r.visit(t.Context(), r.Evaluator)
		}
		if did := r.work(nil); !slices.Equal(did, []string{"apply net default"}) {
			t.Fatalf("death at request %d: runners did %q", nth, did)
		}
		r.once(n, fmt.Sprintf("death at request %d", nth))
	}
	for nth, there := 1, true; there; nth += step {
		r := newRig(t, twoDirs)
		n := r.open("change", map[string]string{"net/main.tf": "a1"})
		r.work(nil)
		r.write(n, ann, "terraform apply")
		r.onEnd = func(q lane.Request) {
			r.must(r.Lanes.Ask(t.Context(), q, r.Now()))
			there = r.dies(nth)
			for range 3 {
				r.clock.Add(2 * time.Minute)
				r.visit(t.Context(), r.Evaluator)
			}
		}
		r.work(nil)
		r.once(n, fmt.Sprintf("death at request %d of the end", nth))
	}
}

// once checks that a pull request that was planned and applied has each comment once, and
// that no status is pending.
func (r *rig) once(number int64, when string) {
	r.t.Helper()
	p, err := r.host.Pull(named, number)
	r.must(err)
	var plans, applies, rockets, shown int
	for _, c := range p.Comments {
		plans += strings.Count(c.Text, "## Plan:")
		applies += strings.Count(c.Text, "## Apply:")
		rockets += len(c.Reactions)
		if c.App != 0 && c.Hidden == "" {
			shown++
		}
	}
	if plans != 1 || applies != 1 || rockets != 1 || shown != 1 {
		r.t.Errorf("%s: %d plans, %d applies and %d rockets were told, and %d comments are not folded", when, plans, applies, rockets, shown)
	}
	for name, state := range r.statuses(number) {
		if state != "success" {
			r.t.Errorf("%s: the status %s is %s", when, name, state)
		}
	}
}
