// Package model is the contract of the key-value store under concurrency
// (docs/data-model.md), as a model that the porcupine checker can run
// histories against.
//
// Porcupine gives every operation one moment. The contract gives some of them
// several: a commit chooses rows and later publishes them; an iteration reads a
// head and then row after row. Such an operation becomes several steps with the
// same beginning and end, and the state remembers what was done so far: the
// steps of one operation that must come in order refuse to come in another.
//
// Its invariants: the model knows nothing of how the store works; an operation
// whose outcome is not known may take effect at any moment from its call on,
// also after the end of the history, which stands for never.
package model

import "slices"

// cell is a row as it stands. Its value tells its revision too, since no two
// writes have the same.
type cell struct {
	value     int // 0: no such row
	version   int
	committed bool // as it was written
	published bool // by a commit, since
}

func (c cell) exists() bool     { return c.value != 0 }
func (c cell) shows() bool      { return c.committed || c.published }
func (c cell) seen(d bool) bool { return c.exists() && (d || c.shows()) }

// next is the version that a write gives.
func (c cell) next() int {
	if !c.exists() {
		return 0
	}
	return c.version + 1
}

// matches reports whether a condition on the version holds.
func (c cell) matches(version *int) bool {
	return c.exists() && (version == nil || *version == c.version)
}

// open is an operation of several steps that is under way.
type open struct {
	op   int    // which operation
	done uint64 // which of its steps came
	// marks holds a value for each row: the revision that a commit chose, or
	// that was published when a read saw the head.
	marks []int
	count int // rows that a read saw, or a delete found
	last  int // the largest idx that a read saw, as the place of the row
	size  int // of the rows that a read saw
}

func (o open) clone() open {
	o.marks = slices.Clone(o.marks)
	return o
}

func (o open) equal(p open) bool {
	return o.op == p.op && o.done == p.done && o.count == p.count && o.last == p.last && o.size == p.size && slices.Equal(o.marks, p.marks)
}

// file is how far an upload has come.
type file struct {
	made, sent, gone bool
	done             bool
	version          int // that it gave its row
}

// state is what a group of keys holds at one moment. It is never changed, only
// copied.
type state struct {
	rows  []cell
	files []file
	open  []open // ordered by op
}

// with returns a copy in which one row is another. What was marked of a row
// that is written again can no longer matter, and is forgotten: so more states
// are equal, and less is to be searched.
func (s *state) with(row int, c cell) *state {
	next := &state{slices.Clone(s.rows), s.files, s.open}
	next.rows[row] = c
	cloned := false
	for i, o := range s.open {
		if o.marks[row] == 0 || o.marks[row] == c.value {
			continue
		}
		if !cloned {
			next.open, cloned = slices.Clone(s.open), true
		}
		o = o.clone()
		o.marks[row] = 0
		next.open[i] = o
	}
	return next
}

// withFile returns a copy in which one upload has come further.
func (s *state) withFile(at int, f file) *state {
	files := slices.Clone(s.files)
	files[at] = f
	return &state{s.rows, files, s.open}
}

func (s *state) place(op int) (int, bool) {
	return slices.BinarySearchFunc(s.open, op, func(o open, op int) int { return o.op - op })
}

// progress returns what was done of an operation, to be changed at will.
func (s *state) progress(op int) open {
	if at, ok := s.place(op); ok {
		return s.open[at].clone()
	}
	return open{op: op, marks: make([]int, len(s.rows)), last: -1}
}

// keep returns a copy that remembers an operation's progress.
func (s *state) keep(o open) *state {
	list := slices.Clone(s.open)
	at, ok := s.place(o.op)
	if ok {
		list[at] = o
	} else {
		list = slices.Insert(list, at, o)
	}
	return &state{s.rows, s.files, list}
}

// forget returns a copy without an operation.
func (s *state) forget(op int) *state {
	at, ok := s.place(op)
	if !ok {
		return s
	}
	return &state{s.rows, s.files, slices.Delete(slices.Clone(s.open), at, at+1)}
}

func equal(a, b any) bool {
	s, t := a.(*state), b.(*state)
	return s == t || slices.Equal(s.rows, t.rows) && slices.Equal(s.files, t.files) && slices.EqualFunc(s.open, t.open, open.equal)
}

// hash spreads states over buckets: equal ones have one hash.
func hash(a any) uint64 {
	s := a.(*state)
	h := uint64(14695981039346656037)
	mix := func(n int) { h = (h ^ uint64(n)) * 1099511628211 }
	for _, c := range s.rows {
		mix(c.value)
		if c.published {
			mix(-1)
		}
	}
	for _, o := range s.open {
		mix(o.op)
		mix(int(o.done))
		for _, m := range o.marks {
			mix(m)
		}
	}
	return h
}
