package workload

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/opsplane/opsplane/infra/measure/soak/client"
	"github.com/opsplane/opsplane/infra/measure/soak/history"
)

// actor is one client of a round.
type actor struct {
	*plan
	number   int
	random   *rand.Rand
	written  int                 // number of values so far
	versions map[history.Row]int // as last seen
	failures int                 // number of failures without a success in between
}

func newActor(p *plan, number int, random *rand.Rand) *actor {
	return &actor{plan: p, number: number, random: random, versions: map[history.Row]int{}}
}

// valuesEach is the maximum number of values that a client writes in a round.
const valuesEach = 4096

// value returns the next number. Numbers begin at 1, because 0 means none.
func (a *actor) value() int {
	a.written++
	return a.number*valuesEach + a.written
}

func (a *actor) row() history.Row {
	return history.Row{Key: a.keys[a.random.IntN(len(a.keys))], Idx: a.idx[a.random.IntN(len(a.idx))]}
}

func (a *actor) one(in int) bool { return a.random.IntN(in) == 0 }

// act makes one operation. After a failed operation it only reads until the store responds
// again. If it kept writing while the store is down, it would only make writes with unknown
// outcomes.
func (a *actor) act(ctx context.Context, c client.Client, rec *history.Recorder) {
	if a.failures > 0 {
		wait := min(time.Millisecond<<a.failures, 250*time.Millisecond)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		a.do(ctx, c, rec, history.Call{Action: history.Get, Row: a.row(), Drafts: true})
		return
	}
	if a.shape.Artifacts && a.one(3) {
		a.upload(ctx, c, rec)
		return
	}
	var call history.Call
	switch a.shape.Mix {
	case Everything:
		call = a.draw()
	case Churn:
		call = a.churn()
	case Publication:
		call = a.publication()
	}
	if call.Action == history.Iterate {
		a.page(ctx, c, rec, call.Drafts, call.Limit)
		return
	}
	a.do(ctx, c, rec, call)
}

// do makes and records one call, and learns from its answer.
func (a *actor) do(ctx context.Context, c client.Client, rec *history.Recorder, call history.Call) history.Answer {
	answer := rec.Do(a.number, call, func(call history.Call) history.Answer { return c.Do(ctx, call) })
	switch answer.Outcome {
	case history.Done, history.Refused:
		a.failures = 0
	case history.Unknown, history.Void:
		a.failures = min(a.failures+1, 8)
	}
	if answer.Outcome != history.Done {
		return answer
	}
	switch call.Action {
	case history.Set, history.CAS, history.Complete:
		a.versions[call.Row] = answer.Version
	case history.Get, history.Iterate, history.Open:
		for _, r := range answer.Rows {
			if !r.ValueOnly {
				a.versions[r.Row] = r.Version
			}
		}
	}
	return answer
}

// page iterates over the round's keys, page by page.
func (a *actor) page(ctx context.Context, c client.Client, rec *history.Recorder, drafts bool, limit int) {
	call := history.Call{Action: history.Iterate, Row: history.Row{Key: a.prefix}, Drafts: drafts, Limit: limit}
	for {
		answer := a.do(ctx, c, rec, call)
		if answer.Outcome != history.Done || answer.Next == nil {
			return
		}
		call.After, call.Link = answer.Next, answer.Link
	}
}

// guess returns a version for a condition. Mostly it is the version that the client saw last.
func (a *actor) guess(r history.Row) *int {
	v, ok := a.versions[r]
	if !ok || a.one(8) {
		v = a.random.IntN(3)
	}
	return &v
}

// draw chooses an operation at random.
func (a *actor) draw() history.Call {
	c := history.Call{Row: a.row(), Drafts: a.one(2), Committed: a.one(2)}
	switch n := a.random.IntN(100); {
	case n < 24:
		c.Action, c.Value = history.Set, a.value()
	case n < 38:
		c.Action, c.Value = history.CAS, a.value()
		if !a.one(3) {
			c.Version = a.guess(c.Row)
		}
	case n < 62:
		c.Action = history.Get
	case n < 69:
		c.Action = history.DeleteRow
		if a.one(3) {
			c.Version = a.guess(c.Row)
		}
	case n < 73:
		c.Action, c.Idx = history.DeleteKey, 0
		if a.one(4) {
			c.Version = a.guess(c.Row)
		}
	case n < 85:
		c.Action, c.Targets = history.Commit, a.targets(c.Row)
	case n < 89:
		c.Action = history.Count
	case n < 92:
		c.Action = history.Size
	case n < 95:
		c.Action = history.SizeRow
	default:
		c.Action, c.Limit = history.Iterate, 1000
		if a.one(3) {
			c.Limit = 1 + a.random.IntN(3)
		}
	}
	return c
}

// churn chooses an operation for a round of churn. As many rows are removed as are written, and
// every second operation is a read.
func (a *actor) churn() history.Call {
	c := history.Call{Row: a.row(), Drafts: true, Committed: true}
	switch n := a.random.IntN(100); {
	case n < 30:
		c.Action, c.Value = history.Set, a.value()
	case n < 35:
		c.Action, c.Value = history.CAS, a.value()
	case n < 55:
		c.Action = history.DeleteRow
	case n < 75:
		c.Action, c.Idx = history.DeleteKey, 0
	case n < 95:
		c.Action = history.Get
	default:
		c.Action, c.Limit = history.Iterate, 1000
	}
	return c
}

// publication chooses an operation for a round of publication. The first client writes a draft
// of each row and then commits them together. All other clients read.
func (a *actor) publication() history.Call {
	if a.number > 0 {
		c := history.Call{Action: history.Get, Row: a.row()}
		if a.one(2) {
			c.Action, c.Limit = history.Iterate, 1000
		}
		return c
	}
	if drafts := a.written % (len(a.idx) + 1); drafts < len(a.idx) {
		row := history.Row{Key: a.keys[0], Idx: a.idx[drafts]}
		return history.Call{Action: history.Set, Row: row, Value: a.value()}
	}
	a.value() // the next round of drafts begins
	c := history.Call{Action: history.Commit, Row: history.Row{Key: a.keys[0], Idx: a.idx[0]}}
	for i := range a.idx {
		c.Targets = append(c.Targets, history.Target{Key: a.keys[0], Idx: &a.idx[i]})
	}
	return c
}

// targets chooses what to commit: one row, several rows, a key, or several keys.
func (a *actor) targets(r history.Row) []history.Target {
	switch n := a.random.IntN(4); {
	case a.joined && n < 2:
		var all []history.Target
		for _, key := range a.keys {
			t := history.Target{Key: key}
			if a.one(4) {
				t.Idx = &a.idx[a.random.IntN(len(a.idx))]
			}
			all = append(all, t)
		}
		return all
	case n < 3:
		return []history.Target{{Key: r.Key}}
	}
	first, second := a.idx[a.random.IntN(len(a.idx))], a.idx[a.random.IntN(len(a.idx))]
	return []history.Target{{Key: r.Key, Idx: &first}, {Key: r.Key, Idx: &second}}
}
