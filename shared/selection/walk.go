package selection

import "bytes"

// walker goes over a canonical text once. Canonical means: valid, without
// white space, each member name written in one way only.
type walker struct {
	text []byte
	at   int
}

// first finds the first match of steps in the value that begins at at. Without
// a match, at is behind the value. unwrap allows a name to look into the
// elements of an array, which lax mode does one level deep.
func (w *walker) first(steps []step, unwrap bool) ([]byte, bool) {
	if len(steps) > 0 && w.text[w.at] != '[' {
		steps = steps[steps[0].alike:]
	}
	if len(steps) == 0 {
		start := w.at
		w.skip()
		return w.text[start:w.at], true
	}
	s, rest := steps[0], steps[1:]
	c := w.text[w.at]
	switch {
	case s.name != nil && c == '{':
		return w.members(func(name []byte) bool { return bytes.Equal(name, s.name) }, rest)
	case s.name != nil && c == '[' && unwrap:
		return w.elements(func(int) bool { return true }, steps, false)
	case s.name == nil && c == '[':
		return w.elements(func(i int) bool { return s.every || i == s.index }, rest, true)
	}
	w.skip()
	return nil, false
}

// members looks for steps in the values of those members whose names match.
func (w *walker) members(match func(name []byte) bool, steps []step) ([]byte, bool) {
	for w.at++; w.text[w.at] != '}'; w.comma() {
		start := w.at
		w.skip()
		name := w.text[start:w.at]
		w.at++ // the colon
		if !match(name) {
			w.skip()
		} else if found, ok := w.first(steps, true); ok {
			return found, true
		}
	}
	w.at++
	return nil, false
}

// elements looks for steps in those elements whose indices match.
func (w *walker) elements(match func(index int) bool, steps []step, unwrap bool) ([]byte, bool) {
	w.at++
	for i := 0; w.text[w.at] != ']'; i++ {
		if !match(i) {
			w.skip()
		} else if found, ok := w.first(steps, unwrap); ok {
			return found, true
		}
		w.comma()
	}
	w.at++
	return nil, false
}

// comma steps over a comma if one is next.
func (w *walker) comma() {
	if w.text[w.at] == ',' {
		w.at++
	}
}

// skip goes behind the value that begins at at.
func (w *walker) skip() {
	switch w.text[w.at] {
	case '"':
		w.skipString()
	case '{', '[':
		w.skipNested()
	default:
		for w.at < len(w.text) && w.text[w.at] != ',' && w.text[w.at] != ']' && w.text[w.at] != '}' {
			w.at++
		}
	}
}

func (w *walker) skipNested() {
	for depth := 0; ; {
		switch w.text[w.at] {
		case '"':
			w.skipString()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		w.at++
		if depth == 0 {
			return
		}
	}
}

// skipString jumps from quote to quote: one with an even number of backslashes
// before it ends the string.
func (w *walker) skipString() {
	for w.at++; ; w.at++ {
		w.at += bytes.IndexByte(w.text[w.at:], '"')
		slashes := 0
		for w.text[w.at-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			w.at++
			return
		}
	}
}
