// Package model is the contract of the key-value store under concurrency (docs/data-model.md).
// It is a model against which the porcupine checker can check histories.
//
// Porcupine gives every operation one moment. In the contract some operations have several
// moments: a commit chooses rows and publishes them later, and an iteration reads a head and
// then row after row. Such an operation becomes several steps with the same start and end. The
// state keeps which steps were done. Steps of one operation that have a fixed order refuse to
// run in another order.
//
// Its invariants: the model knows nothing about how the store works. An operation with an
// unknown outcome may take effect at any moment after its call. That includes moments after the
// end of the history, which means that it never takes effect.
package model

import "slices"

// cell is the current content of a row. Its value also identifies its revision, because no two
// writes have the same value.
type cell struct {
	value     int // 0: the row does not exist
	version   int
	committed bool // as it was written
	published bool // by a commit, after it was written
}

func (c cell) exists() bool     { return c.value != 0 }
func (c cell) shows() bool      { return c.committed || c.published }
func (c cell) seen(d bool) bool { return c.exists() && (d || c.shows()) }

// next returns the version that the next write gives.
func (c cell) next() int {
	if !c.exists() {
		return 0
	}
	return c.version + 1
}

// matches reports whether a condition on the version is true.
func (c cell) matches(version *int) bool {
	return c.exists() && (version == nil || *version == c.version)
}

// open is an operation of several steps that is under way.
type open struct {
	op   int    // number of the operation
	done uint64 // the steps that were done, as bits
	// marks holds one value for each row: the revision that a commit chose, or the revision
	// that was published when a read saw the head.
	marks []int
	count int // rows that a read saw, or a delete found
	last  int // the largest idx that a read saw, as the place of the row
	size  int // total size of the rows that a read saw
}

func (o open) clone() open {
	o.marks = slices.Clone(o.marks)
	return o
}

func (o open) equal(p open) bool {
	return o.op == p.op && o.done == p.done && o.count == p.count && o.last == p.last && o.size == p.size && slices.Equal(o.marks, p.marks)
}

// file is the progress of an upload.
type file struct {
	made, sent, gone bool
	done             bool
	version          int // that the completion gave the row
}

// state is the content of a group of keys at one moment. It is never changed, only copied.
type state struct {
	rows  []cell
	files []file
	open  []open // ordered by op
}

// with returns a copy in which one row has another content. Marks of that row no longer matter
// after it is written again, so they are removed. Then more states are equal, which reduces the
// search.
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

// withFile returns a copy in which one upload has made progress.
func (s *state) withFile(at int, f file) *state {
	files := slices.Clone(s.files)
	files[at] = f
	return &state{s.rows, files, s.open}
}

func (s *state) place(op int) (int, bool) {
	return slices.BinarySearchFunc(s.open, op, func(o open, op int) int { return o.op - op })
}

// progress returns a copy of an operation's progress, which the caller may change.
func (s *state) progress(op int) open {
	if at, ok := s.place(op); ok {
		return s.open[at].clone()
	}
	return open{op: op, marks: make([]int, len(s.rows)), last: -1}
}

// keep returns a copy of the state that includes an operation's progress.
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

// forget returns a copy of the state without an operation's progress.
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

// hash returns a hash of a state. Equal states have the same hash.
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
