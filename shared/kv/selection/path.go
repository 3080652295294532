package selection

import (
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/opsplane/opsplane/shared/kv/canonical"
)

// step is one step of a path. It goes to a member if name is set. Otherwise it goes
// to one element, or to every element if every is true.
type step struct {
	name  []byte // in the form of a canonical text, with its quotes
	every bool
	index int
	// alike is the number of steps, beginning with this one, that do not change a
	// value that is not an array: lax mode takes such a value for an array of one
	// element. These steps are skipped together. Otherwise a path of many such
	// steps would cost its length at each scalar.
	alike int
}

// grammar is the description of paths in error texts.
const grammar = `paths are made of names, "quoted names", [n] and [*], such as items[0].name`

// pathParser reads a path, beginning at the offset at.
type pathParser struct {
	path string
	at   int
}

func parsePath(path string) ([]step, error) {
	p := pathParser{path: path}
	p.space()
	var steps []step
	for len(steps) == 0 || p.at < len(path) {
		read := p.member
		switch {
		case p.peek() == '[':
			read = p.element
		case len(steps) > 0 && p.peek() != '.':
			return nil, p.fail("expected '.' or '['")
		case len(steps) > 0:
			p.at++
			p.space()
		}
		s, err := read()
		if err != nil {
			return nil, err
		}
		steps = append(steps, s)
		p.space()
	}
	alike := 0
	for i, s := range slices.Backward(steps) {
		if alike++; s.name != nil || !s.every && s.index > 0 {
			alike = 0
		}
		steps[i].alike = alike
	}
	return steps, nil
}

func (p *pathParser) fail(why string) error {
	return invalidf("path %q: %s at byte %d; %s", shorten(p.path), why, p.at, grammar)
}

func (p *pathParser) peek() byte {
	if p.at < len(p.path) {
		return p.path[p.at]
	}
	return 0
}

func (p *pathParser) space() {
	for p.peek() == ' ' || p.peek() == '\t' {
		p.at++
	}
}

// member reads a name.
func (p *pathParser) member() (step, error) {
	start := p.at
	if p.peek() == '"' {
		return p.quoted()
	}
	for isName(p.peek(), p.at > start) {
		p.at++
	}
	if p.at == start {
		return step{}, p.fail("expected a name (quote names that hold other characters than letters, digits and _)")
	}
	return step{name: canonical.AppendString(nil, p.path[start:p.at])}, nil
}

// isName reports whether c may stand in a name without quotes. inside is false for
// the first character of the name.
func isName(c byte, inside bool) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= utf8.RuneSelf ||
		inside && c >= '0' && c <= '9'
}

// quoted reads a name in double quotes, with the escapes of JSON.
func (p *pathParser) quoted() (step, error) {
	start := p.at
	for p.at++; p.peek() != '"'; p.at++ {
		if p.peek() == '\\' {
			p.at++
		}
		if p.at >= len(p.path) {
			return step{}, p.fail("a quoted name has no end")
		}
	}
	p.at++
	name, err := canonical.DecodeString([]byte(p.path[start:p.at]))
	if err != nil {
		p.at = start
		return step{}, p.fail("a quoted name is no JSON string")
	}
	return step{name: canonical.AppendString(nil, name)}, nil
}

// element reads an index or a star in brackets.
func (p *pathParser) element() (step, error) {
	p.at++
	p.space()
	s := step{}
	start := p.at
	if p.peek() == '*' {
		s.every = true
		p.at++
	} else {
		for p.peek() >= '0' && p.peek() <= '9' {
			p.at++
		}
		n, err := strconv.ParseUint(p.path[start:p.at], 10, 31)
		if err != nil {
			return step{}, p.fail("expected an index or *")
		}
		s.index = int(n)
	}
	p.space()
	if p.peek() != ']' {
		return step{}, p.fail("expected ']'")
	}
	p.at++
	return s, nil
}
