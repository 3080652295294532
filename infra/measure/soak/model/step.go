package model

import "github.com/opsplane/opsplane/infra/measure/soak/history"

// step is one moment of an operation.
type step struct {
	op     int // number of the operation
	call   history.Call
	answer history.Answer
	// row is the place of the row that this step acts on, or -1 if there is not exactly one.
	row int
	// rows are the places of the rows that this step looks at.
	rows []int
	// all are the places of all rows of the key. For a commit they are the rows that its answer
	// names as chosen.
	all []int
	// read holds the rows that a read returned, by place.
	read  map[int]history.Seen
	last  int // place of the largest idx that the answer to a count names
	file  int // place of the upload
	bit   int // number of this step in the operation
	steps int // number of steps in the operation
	do    func(*state, *step) *state
	name  string
}

// known reports whether the answer says what happened, so that it can be compared with the
// state.
func (p *step) known() bool { return p.answer.Outcome != history.Unknown }

func (p *step) done() bool { return p.answer.Outcome == history.Done }

// others returns the bits of all other steps of the operation.
func (p *step) others() uint64 { return (1<<p.steps - 1) &^ (1 << p.bit) }

// write is a set or a cas. It returns nil if the answer is not possible in this state.
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

// shows reports whether the read returned a row correctly. committed says whether the reader
// sees the row as committed. A row that the reader must not see must be missing.
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

// get reads one row. It also opens a row that is an artifact.
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

// sizeRow reads the size of one row.
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

// drop removes one row as a part of a delete of the key's rows at one version.
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

// none is the moment at which a delete of a key found no row at all. The delete removed
// nothing.
func none(s *state, p *step) *state {
	for _, row := range p.all {
		if s.rows[row].exists() {
			return nil
		}
	}
	return s
}

// look is the moment at which a delete of a key looks at one row, before it removes all rows
// that exist. The delete may have found this row.
func look(s *state, p *step) *state {
	o := s.progress(p.op)
	o.done |= 1 << p.bit
	if s.rows[p.row].exists() {
		o.count = 1
	}
	return s.keep(o)
}

// remove is the moment at which a delete of a key removes all its rows. At this moment it also
// looks at the rows that nobody else changes meanwhile.
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
