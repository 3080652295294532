package model

import "slices"

// choose is the moment in which a commit looks at rows.
func choose(s *state, p *step) *state {
	o := s.progress(p.op)
	o.done |= 1 << p.bit
	if !p.choose(s, &o) {
		return nil
	}
	return s.keep(o)
}

// choose marks the drafts among the rows of the step, and reports whether they
// are those that the commit answered.
func (p *step) choose(s *state, o *open) bool {
	for _, row := range p.rows {
		c := s.rows[row]
		chosen := c.exists() && !c.shows()
		if p.known() && chosen != slices.Contains(p.all, row) {
			return false
		}
		if chosen {
			o.marks[row] = c.value
		}
	}
	return true
}

// publish is the moment in which everything that was chosen becomes visible.
// What has been written again since stays as its writer left it. Rows that
// nobody else changes meanwhile are chosen in this moment too.
func publish(s *state, p *step) *state {
	o := s.progress(p.op)
	if o.done&p.others() != p.others() || !p.choose(s, &o) {
		return nil
	}
	s = s.forget(p.op)
	for row, value := range o.marks {
		if c := s.rows[row]; value != 0 && c.value == value {
			c.published = true
			s = s.with(row, c)
		}
	}
	return s
}

// settled is the choose of a commit that chose nothing at all.
func settled(s *state, p *step) *state {
	for _, row := range p.rows {
		if c := s.rows[row]; c.exists() && !c.shows() {
			return nil
		}
	}
	return s
}
