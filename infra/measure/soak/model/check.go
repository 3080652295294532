package model

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/opsplane/opsplane/infra/measure/soak/history"
)

// Verdict is the result of a check.
type Verdict string

// The verdicts.
const (
	// Kept: some order of the operations explains every answer.
	Kept Verdict = "kept"
	// Broken: no order of the operations explains every answer.
	Broken Verdict = "broken"
	// Undecided: the time limit ended the check first.
	Undecided Verdict = "undecided"
)

// Result is the result of a check and what shows it.
type Result struct {
	Verdict Verdict
	// Reason says as text what is broken. It may be empty.
	Reason string

	model porcupine.Model
	steps []porcupine.Operation
}

// Check decides whether a history keeps the contract. limit is the maximum time for each group
// of keys that must be checked together.
func Check(ops []history.Operation, limit time.Duration) Result {
	for _, o := range ops {
		if o.Answer.Outcome == history.Impossible {
			return Result{Verdict: Broken, Reason: fmt.Sprintf("client %d, %s: %s", o.Client, describeCall(o.Call), o.Answer.Note)}
		}
	}
	result := Result{Verdict: Kept}
	for _, g := range groups(ops) {
		g.fill(ops)
		found := g.check(limit)
		switch found {
		case porcupine.Illegal:
			return Result{Broken, fmt.Sprintf("no order of %d steps explains the answers", len(g.steps)), g.model(), g.steps}
		case porcupine.Unknown:
			result = Result{Undecided, fmt.Sprintf("%d steps took more than %v", len(g.steps), limit), g.model(), g.steps}
		}
	}
	return result
}

// patience is how long porcupine searches before witness helps.
const patience = 100 * time.Millisecond

// check lets porcupine search for an order. If that takes long, witness searches for an order,
// and porcupine checks the order.
func (g *group) check(limit time.Duration) porcupine.CheckResult {
	found := porcupine.CheckOperationsTimeout(g.model(), g.steps, min(patience, limit))
	if found != porcupine.Unknown {
		return found
	}
	order, decided := witness(g, limit)
	if order == nil {
		if decided {
			return porcupine.Illegal
		}
		return porcupine.CheckOperationsTimeout(g.model(), g.steps, limit)
	}
	steps, ok := inOrder(g.steps, order)
	if !ok {
		return porcupine.Unknown
	}
	return porcupine.CheckOperationsTimeout(g.model(), steps, limit)
}

// Draw writes the history of the group of keys that broke the contract, as a page for a
// browser. It does nothing if there is no such group.
func (r Result) Draw(path string, limit time.Duration) error {
	if r.steps == nil {
		return nil
	}
	_, info := porcupine.CheckOperationsVerbose(r.model, r.steps, limit)
	if err := porcupine.VisualizePath(r.model, info, path); err != nil {
		return fmt.Errorf("draw history: %w", err)
	}
	return nil
}

func (g *group) model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return g.initial() },
		Step: func(s, in, _ any) (bool, any) {
			p := in.(*step)
			if next := p.do(s.(*state), p); next != nil {
				return true, next
			}
			return false, s
		},
		Equal: equal, Hash: hash,
		DescribeOperation: func(in, _ any) string {
			p, ok := in.(*step)
			if !ok {
				// The library draws the end before the start if both have the same time.
				return "began and ended at one time"
			}
			return p.String()
		},
		DescribeState: func(s any) string { return g.describe(s.(*state)) },
	}
}

// initial returns the state of keys that nobody has used.
func (g *group) initial() *state {
	return &state{rows: make([]cell, len(g.rows)), files: make([]file, len(g.files))}
}

// groups divides a history into groups of keys that must be checked together.
func groups(ops []history.Operation) []*group {
	leader := map[string]string{}
	var find func(string) string
	find = func(key string) string {
		up, ok := leader[key]
		if !ok || up == key {
			leader[key] = key
			return key
		}
		leader[key] = find(up)
		return leader[key]
	}
	all := map[history.Row]bool{}
	for _, o := range ops {
		if o.Call.Action != history.Iterate {
			all[o.Call.Row] = true
			all[history.Row{Key: o.Call.Key}] = true
		}
		for _, r := range o.Answer.Rows {
			all[r.Row] = true
		}
		for _, t := range o.Call.Targets {
			all[history.Row{Key: t.Key}] = true
			if t.Idx != nil {
				all[history.Row{Key: t.Key, Idx: *t.Idx}] = true
			}
			leader[find(t.Key)] = find(o.Call.Targets[0].Key)
		}
	}
	byLeader := map[string]*group{}
	for r := range all {
		l := find(r.Key)
		if byLeader[l] == nil {
			byLeader[l] = &group{}
		}
		byLeader[l].rows = append(byLeader[l].rows, r)
	}
	var list []*group
	for _, g := range byLeader {
		slices.SortFunc(g.rows, compareRows)
		list = append(list, g)
	}
	return list
}

// fill takes the operations on the keys of the group, and splits them into steps.
func (g *group) fill(ops []history.Operation) {
	for _, o := range ops {
		key := o.Call.Key
		if o.Call.Action == history.Commit {
			key = o.Call.Targets[0].Key
		}
		if o.Answer.Outcome == history.Void || o.Call.Action != history.Iterate && len(g.of(key)) == 0 {
			continue
		}
		g.ops = append(g.ops, o)
		if id := fileID(&o); id != "" && !slices.Contains(g.files, id) {
			g.files = append(g.files, id)
		}
	}
	narrow(g.ops)
	g.split()
}

// describe returns the text of a state in the drawing.
func (g *group) describe(s *state) string {
	var b strings.Builder
	for i, c := range s.rows {
		if c.exists() {
			fmt.Fprintf(&b, "%s[%d] = #%d v%d%s ", g.rows[i].Key, g.rows[i].Idx, c.value, c.version, draft(!c.shows()))
		}
	}
	for _, o := range s.open {
		fmt.Fprintf(&b, "(%d under way: %b) ", o.op, o.done)
	}
	return b.String()
}

func draft(d bool) string {
	if d {
		return " draft"
	}
	return ""
}
