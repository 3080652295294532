package selection

import "bytes"

// walker goes over a canonical text once. Canonical means: valid, without
// white space, each member name written in one way only.
type walker struct {
	text []byte
	at   int
	// matches are the first matches of the items, nil where there is none so far.
	matches [][]byte
	// open counts the items without a match, and the matches whose end is not
	// reached: with none, the rest of the text is of no interest.
	open int
	searches
}

// firsts finds the first match of each item of s in a text; nil where there is
// none. It passes over the text once at most.
func firsts(text []byte, s Selection) [][]byte {
	if len(s) == 0 {
		return nil
	}
	w := walker{text: text, matches: make([][]byte, len(s)), open: len(s)}
	w.value(s.search())
	return w.matches
}

// value looks in the value that begins at at, and goes behind it, unless no item
// is open.
func (w *walker) value(n *search) {
	start, p := w.at, w.in(n, w.text[w.at])
	var begun []int // the items whose first match this value is
	for _, i := range p.matches {
		if w.matches[i] == nil {
			w.matches[i] = w.text[start:]
			begun = append(begun, i)
		}
	}
	switch {
	case p.members != nil:
		w.members(p)
	case p.every != nil:
		w.elements(p)
	default:
		w.skip()
	}
	for _, i := range begun {
		w.matches[i] = w.text[start:w.at:w.at]
		w.open--
	}
}

// members looks in the members of an object.
func (w *walker) members(p *place) {
	for w.at++; w.text[w.at] != '}'; w.comma() {
		start := w.at
		w.skip()
		n := p.members[string(w.text[start:w.at])]
		w.at++ // the colon
		if n == nil {
			w.skip()
			continue
		}
		if w.value(n); w.open == 0 {
			return
		}
	}
	w.at++
}

// elements looks in the elements of an array.
func (w *walker) elements(p *place) {
	w.at++
	indices := p.indices
	for i := 0; w.text[w.at] != ']'; i++ {
		n := p.every
		if len(indices) > 0 && indices[0] == i {
			n, indices = w.element(p, i), indices[1:]
		}
		if w.value(n); w.open == 0 {
			return
		}
		if w.comma(); len(indices) == 0 && len(p.every.seekers) == 0 {
			w.skipNested(1)
			return
		}
	}
	w.at++
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
		w.skipNested(0)
	default:
		for w.at < len(w.text) && w.text[w.at] != ',' && w.text[w.at] != ']' && w.text[w.at] != '}' {
			w.at++
		}
	}
}

// skipNested goes behind the value that begins at at, or, at depth 1, behind the
// array or object that at is in.
func (w *walker) skipNested(depth int) {
	for {
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
