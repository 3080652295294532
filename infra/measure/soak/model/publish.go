package model

import "slices"

// choose is the moment at which a commit looks at rows.
func choose(s *state, p *step) *state {
	o := s.progress(p.op)
	o.done |= 1 << p.bit
	if !p.choose(s, &o) {
		return nil
	}
	return s.keep(o)
}

// choose marks the drafts among the rows of the step. It reports whether they are the rows that
// the commit's answer names.
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

// publish is the moment at which everything that was chosen becomes visible. A row that was
// written again after the choice stays as its writer left it. Rows that nobody else changes
// meanwhile are also chosen at this moment.
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

// settled takes the place of choose for a commit that chose no row.
func settled(s *state, p *step) *state {
	for _, row := range p.rows {
		if c := s.rows[row]; c.exists() && !c.shows() {
			return nil
		}
	}
	return s
}
