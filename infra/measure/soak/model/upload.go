package model

import "github.com/opsplane/opsplane/infra/measure/soak/history"

// met reports whether the upload's condition on its row is true.
func (p *step) met(c cell) bool {
	switch {
	case p.call.Absent:
		return !c.exists()
	case p.call.Version != nil:
		return c.matches(p.call.Version)
	}
	return true
}

// create makes an upload, unless the row would refuse the file now.
func create(s *state, p *step) *state {
	if p.done() != p.met(s.rows[p.row]) {
		return nil
	}
	if !p.done() {
		return s
	}
	return s.withFile(p.file, file{made: true})
}

// send is the moment at which the file's bytes have arrived.
func send(s *state, p *step) *state {
	f := s.files[p.file]
	if f.sent {
		return s
	}
	f.sent = true
	return s.withFile(p.file, f)
}

// complete makes the file a row, once. Further completions return the same answer.
func complete(s *state, p *step) *state {
	f, c := s.files[p.file], s.rows[p.row]
	met := p.met(c)
	takes := f.made && f.sent && !f.gone && !f.done && met
	if p.known() {
		var ok bool
		switch {
		case p.done():
			ok = takes && p.answer.Version == c.next() || f.done && p.answer.Version == f.version
		case p.answer.Note == history.Incomplete:
			ok = !f.sent && !f.done
		case p.answer.Note == history.Gone:
			ok = f.gone
		case p.answer.Note == history.Unmet:
			ok = f.sent && !f.done && !met
		}
		if !ok {
			return nil
		}
		takes = takes && p.done()
	}
	if !takes {
		return s
	}
	f.done, f.version = true, c.next()
	s = s.with(p.row, cell{p.call.Value, f.version, p.call.Committed, false})
	return s.withFile(p.file, f)
}

// abort ends an upload that is not complete. A complete one stays.
func abort(s *state, p *step) *state {
	f := s.files[p.file]
	if p.known() && p.done() == f.done {
		return nil
	}
	if f.done || f.gone {
		return s
	}
	f.gone = true
	return s.withFile(p.file, f)
}
