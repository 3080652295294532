package model

import "github.com/opsplane/opsplane/infra/measure/soak/history"

// step is one moment of an operation.
type step struct {
	op     int // which operation
	call   history.Call
	answer history.Answer
	// row is the place of the one row that this step is about; -1 for none.
	row int
	// rows are the places of the rows that this step looks at.
	rows []int
	// all are the places of all rows of the key, or of those that a commit
	// answered to have chosen.
	all []int
	// read is what a read showed, by place.
	read  map[int]history.Seen
	last  int // place of the largest idx that a count answered
	file  int // place of the upload
	bit   int // which of the operation's steps this is
	steps int // how many it has
	do    func(*state, *step) *state
	name  string
}

// known reports whether the answer tells what happened, so that it can be held
// against the state.
func (p *step) known() bool { return p.answer.Outcome != history.Unknown }

func (p *step) done() bool { return p.answer.Outcome == history.Done }

// others are the bits of all steps of the operation but this one.
func (p *step) others() uint64 { return (1<<p.steps - 1) &^ (1 << p.bit) }

// write is a set or a cas: nil where the answer cannot be.
func write(s *state, p *step) *state {
	c := s.rows[p.row]
	holds := true
	if p.call.Action == history.CAS {
		holds = p.call.Version == nil && !c.exists() || p.call.Version != nil && c.matches(p.call.Version)
	}
	if p.known() && (holds != p.done() || holds && p.answer.Version != c.next()) {
		return nil
	}
	if !holds {
		return s
	}
	return s.with(p.row, cell{p.call.Value, c.next(), p.call.Committed, false})
}

// shows reports whether a row, committed or not as the reader sees it, is shown
// as it must be: not at all where it is not to be seen.
func (p *step) shows(row int, c cell, committed bool) bool {
	r, shown := p.read[row]
	if visible := c.exists() && (p.call.Drafts || committed); !visible || !shown {
		return visible == shown
	}
	if r.ValueOnly {
		return r.Value == c.value
	}
	return r.Version == c.version && r.Committed == committed && (r.Value == 0 || r.Value == c.value)
}

// get reads one row, also as an artifact that is opened.
func get(s *state, p *step) *state {
	c := s.rows[p.row]
	if p.call.Action == history.Open && !history.IsFile(c.value) {
		c = cell{}
	}
	if !p.shows(p.row, c, c.shows()) {
		return nil
	}
	return s
}

// sizeRow asks for the size of one row.
func sizeRow(s *state, p *step) *state {
	c := s.rows[p.row]
	if c.seen(p.call.Drafts) != p.done() || p.done() && p.answer.Size != history.SizeOf(c.value) {
		return nil
	}
	return s
}

// deleteRow removes one row.
func deleteRow(s *state, p *step) *state {
	c := s.rows[p.row]
	if p.known() && c.matches(p.call.Version) != p.answer.Found {
		return nil
	}
	if !c.matches(p.call.Version) {
		return s
	}
	return s.with(p.row, cell{})
}

// drop is a deleteRow as a part of a delete of the key's rows at one version.
func drop(s *state, p *step) *state {
	gone := s.rows[p.row].matches(p.call.Version)
	if p.known() && gone && !p.answer.Found {
		return nil
	}
	if !p.known() {
		if gone {
			return s.with(p.row, cell{})
		}
		return s
	}
	o := s.progress(p.op)
	o.done |= 1 << p.bit
	if gone {
		o.count = 1
		s = s.with(p.row, cell{})
	}
	if o.done&p.others() != p.others() {
		return s.keep(o)
	}
	if p.answer.Found != (o.count > 0) {
		return nil
	}
	return s.forget(p.op)
}

// none is the moment in which a delete of a key that removed nothing found no
// row at all.
func none(s *state, p *step) *state {
	for _, row := range p.all {
		if s.rows[row].exists() {
			return nil
		}
	}
	return s
}

// look is how a delete of a key that removed something may have found a row:
// before it took all that there were.
func look(s *state, p *step) *state {
	o := s.progress(p.op)
	o.done |= 1 << p.bit
	if s.rows[p.row].exists() {
		o.count = 1
	}
	return s.keep(o)
}

// remove is the moment in which a delete of a key takes every row of it. It
// looks at rows that nobody else changes meanwhile in this moment too.
func remove(s *state, p *step) *state {
	if p.known() {
		o := s.progress(p.op)
		if o.done&p.others() != p.others() {
			return nil
		}
		found := o.count > 0
		for _, row := range p.rows {
			found = found || s.rows[row].exists()
		}
		if !found {
			return nil
		}
		s = s.forget(p.op)
	}
	for _, row := range p.all {
		if s.rows[row].exists() {
			s = s.with(row, cell{})
		}
	}
	return s
}
