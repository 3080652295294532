package selection

import "bytes"

// walker passes over a canonical text once. The text must be valid, without white
// space, and each member name must have its canonical form.
type walker struct {
	text []byte
	at   int
	// matches are the first matches of the items; nil if an item has none so far.
	matches [][]byte
	// open counts the items without a match, and the matches whose end is not
	// reached. If open is 0, the rest of the text does not matter.
	open int
	searches
}

// firsts returns the first match of each item of s in a text; nil for an item
// without a match. It passes over the text at most once.
func firsts(text []byte, s Selection) [][]byte {
	if len(s) == 0 {
		return nil
	}
	w := walker{text: text, matches: make([][]byte, len(s)), open: len(s)}
	w.value(s.search())
	return w.matches
}

// value searches the value that begins at w.at. Then it moves behind the value,
// unless no item is open any more.
func (w *walker) value(n *search) {
	start, p := w.at, w.in(n, w.text[w.at])
	var begun []int // the items whose first match is this value
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

// members searches the members of an object.
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

// elements searches the elements of an array.
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

// comma skips a comma if one is next.
func (w *walker) comma() {
	if w.text[w.at] == ',' {
		w.at++
	}
}

// skip moves behind the value that begins at w.at.
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

// skipNested moves behind the value that begins at w.at. With depth 1, it moves
// behind the array or object that contains w.at.
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

// skipString moves from quote to quote. A quote after an even number of backslashes
// ends the string.
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
