package model

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// witness searches for an order of steps that explains every answer. It is for histories on
// which porcupine takes too long. It is faster because it takes a read as soon as the read
// fits. That is always right: a read changes nothing, so a read that fits now can be taken now.
// The order that it finds is not a verdict, because porcupine checks the order. decided is
// false if the time limit ended the search.
func witness(g *group, limit time.Duration) (order []int, decided bool) {
	w := &search{steps: g.steps, until: time.Now().Add(limit), tried: map[uint64][]visited{}}
	for i := range g.steps {
		w.byReturn = append(w.byReturn, i)
	}
	slices.SortFunc(w.byReturn, func(a, b int) int { return cmp.Compare(g.steps[a].Return, g.steps[b].Return) })
	taken := make([]bool, len(g.steps))
	if w.from(g.initial(), taken) {
		return w.order, true
	}
	return nil, !w.late
}

type visited struct {
	taken []bool
	state *state
}

type search struct {
	steps    []porcupine.Operation
	byReturn []int // steps in the order in which they must be taken
	order    []int
	tried    map[uint64][]visited
	until    time.Time
	late     bool
	count    int
}

// from takes the remaining steps, beginning in a state. It reports whether that is possible. If
// it is, order holds all the steps.
func (w *search) from(s *state, taken []bool) bool {
	if w.count++; w.count%256 == 0 && time.Now().After(w.until) {
		w.late = true
	}
	if w.late {
		return false
	}
	mark := len(w.order)
	taken = slices.Clone(taken)
	candidates := w.reads(s, taken)
	if len(w.order) == len(w.steps) {
		return true
	}
	if !w.seen(s, taken) {
		for _, i := range candidates {
			p := w.steps[i].Input.(*step)
			next := p.do(s, p)
			if next == nil {
				continue
			}
			taken[i] = true
			w.order = append(w.order, i)
			if w.from(next, taken) {
				return true
			}
			w.order = w.order[:len(w.order)-1]
			taken[i] = false
		}
	}
	w.order = w.order[:mark]
	return false
}

// reads takes every step that fits and changes nothing. It returns the steps that may come
// next.
func (w *search) reads(s *state, taken []bool) []int {
	for {
		candidates := w.candidates(taken)
		again := false
		for _, i := range candidates {
			p := w.steps[i].Input.(*step)
			// A step with an unknown outcome may have an effect later, so it is not taken here.
			if p.known() && p.do(s, p) == s {
				taken[i], again = true, true
				w.order = append(w.order, i)
			}
		}
		if !again {
			return candidates
		}
	}
}

// candidates returns the steps that began before the first end of a remaining step.
func (w *search) candidates(taken []bool) []int {
	end := int64(math.MaxInt64)
	var list []int
	for _, i := range w.byReturn {
		if taken[i] {
			continue
		}
		end = min(end, w.steps[i].Return)
		if w.steps[i].Call <= end {
			list = append(list, i)
		}
	}
	return list
}

// seen reports whether the search was in this state before, and records the state.
func (w *search) seen(s *state, taken []bool) bool {
	h := hash(s)
	for i, t := range taken {
		if t {
			h ^= uint64(i+1) * 0x9e3779b97f4a7c15
		}
	}
	for _, v := range w.tried[h] {
		if slices.Equal(v.taken, taken) && equal(v.state, s) {
			return true
		}
	}
	w.tried[h] = append(w.tried[h], visited{slices.Clone(taken), s})
	return false
}

// inOrder returns the steps with a fixed order: each has one moment of its own within its
// interval.
func inOrder(steps []porcupine.Operation, order []int) ([]porcupine.Operation, bool) {
	list := make([]porcupine.Operation, len(order))
	latest := int64(math.MinInt64)
	for n, i := range order {
		if latest = max(latest, steps[i].Call); latest > steps[i].Return {
			return nil, false
		}
		list[n] = steps[i]
		list[n].Call, list[n].Return = int64(2*n), int64(2*n+1)
	}
	return list, true
}
