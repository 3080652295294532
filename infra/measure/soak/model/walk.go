package model

import "github.com/opsplane/opsplane/infra/measure/soak/history"

// enter is the moment at which a read of a key's rows learns what commits have published. So
// the rows show a commit either completely or not at all. The row of idx 0 is read at this
// moment.
func enter(s *state, p *step) *state {
	o := s.progress(p.op)
	for _, row := range p.all {
		if c := s.rows[row]; c.published {
			o.marks[row] = c.value
		}
	}
	return see(s, p, o)
}

// visit is the moment at which such a read reads other rows.
func visit(s *state, p *step) *state {
	o := s.progress(p.op)
	if o.done&1 == 0 {
		return nil
	}
	return see(s, p, o)
}

func see(s *state, p *step, o open) *state {
	o.done |= 1 << p.bit
	for _, row := range p.rows {
		c := s.rows[row]
		committed := c.committed || c.published && o.marks[row] == c.value
		o.marks[row] = 0 // so that states become equal when they can no longer differ
		if p.call.Action == history.Iterate {
			if !p.shows(row, c, committed) {
				return nil
			}
		} else if c.exists() && (p.call.Drafts || committed) {
			o.count++
			o.size += history.SizeOf(c.value)
			o.last = max(o.last, row)
		}
	}
	return leave(s, p, o)
}

// leave ends a read after it has seen every row, and compares its sums with its answer.
func leave(s *state, p *step, o open) *state {
	if o.done != 1<<p.steps-1 {
		return s.keep(o)
	}
	ok := true
	switch p.call.Action {
	case history.Count:
		ok = p.done() == (o.count > 0) && (o.count == 0 || o.count == p.answer.Count && o.last == p.last)
	case history.Size:
		ok = p.done() == (o.count > 0) && (o.count == 0 || o.size == p.answer.Size)
	}
	if !ok {
		return nil
	}
	return s.forget(p.op)
}
