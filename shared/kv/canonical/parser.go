package canonical

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/opsplane/opsplane/shared/api/fault"
)

// parser reads the text in, beginning at the offset at, and appends canonical text
// to out.
type parser struct {
	in  []byte
	at  int
	out []byte

	// nul allows the character U+0000, which jsonb does not allow.
	nul bool

	members []member // of the objects that are being read; the innermost comes last
	names   []byte   // the decoded names of members, one after the other
	scratch []byte   // a copy of an object's text while its members are ordered
}

// member is one member of an object that is being read.
type member struct {
	nameStart, nameEnd int // offsets in names
	start, end         int // offsets in out: name and value without the comma
}

func (p *parser) syntax(why string) error {
	return fault.Invalidf("INVALID_JSON", "the value is not JSON: %s (at byte %d)", why, p.at)
}

// space skips white space.
func (p *parser) space() {
	for p.at < len(p.in) {
		switch p.in[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// peek returns the next byte, or 0 at the end.
func (p *parser) peek() byte {
	if p.at < len(p.in) {
		return p.in[p.at]
	}
	return 0
}

// value reads one value that lies inside depth arrays and objects.
func (p *parser) value(depth int) error {
	if len(p.out) > MaxText {
		return tooLarge()
	}
	c := p.peek()
	if (c == '{' || c == '[') && depth == MaxDepth {
		return fault.Invalidf("JSON_TOO_DEEP", "arrays and objects may be nested %d deep; the value is deeper at its byte %d", MaxDepth, p.at)
	}
	switch {
	case c == '{':
		return p.object(depth + 1)
	case c == '[':
		return p.array(depth + 1)
	case c == '"':
		return p.string()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	for _, word := range []string{"null", "true", "false"} {
		if bytes.HasPrefix(p.in[p.at:], []byte(word)) {
			p.at += len(word)
			p.out = append(p.out, word...)
			return nil
		}
	}
	return p.syntax("expected a value")
}

// next skips a comma and returns true if the list continues. If end comes instead,
// the list does not continue.
func (p *parser) next(end byte) (bool, error) {
	p.space()
	switch p.peek() {
	case ',':
		p.at++
		p.space()
		return true, nil
	case end:
		p.at++
		return false, nil
	}
	return false, p.syntax("expected ',' or '" + string(end) + "'")
}

func (p *parser) array(depth int) error {
	p.at++
	p.out = append(p.out, '[')
	p.space()
	if p.peek() == ']' {
		p.at++
		p.out = append(p.out, ']')
		return nil
	}
	for {
		if err := p.value(depth); err != nil {
			return err
		}
		more, err := p.next(']')
		if err != nil {
			return err
		}
		if !more {
			p.out = append(p.out, ']')
			return nil
		}
		p.out = append(p.out, ',')
	}
}

func (p *parser) object(depth int) error {
	p.at++
	p.out = append(p.out, '{')
	first, names := len(p.members), len(p.names)
	p.space()
	more := p.peek() != '}'
	if !more {
		p.at++
	}
	for more {
		if err := p.member(depth); err != nil {
			return err
		}
		var err error
		if more, err = p.next('}'); err != nil {
			return err
		}
		if more {
			p.out = append(p.out, ',')
		}
	}
	p.order(first)
	p.members, p.names = p.members[:first], p.names[:names]
	p.out = append(p.out, '}')
	return nil
}

// member reads a name and its value.
func (p *parser) member(depth int) error {
	if p.peek() != '"' {
		return p.syntax("expected a member's name in double quotes")
	}
	m := member{nameStart: len(p.names), start: len(p.out)}
	if err := p.string(); err != nil {
		return err
	}
	p.names = appendDecoded(p.names, p.out[m.start+1:len(p.out)-1])
	m.nameEnd = len(p.names)
	p.space()
	if p.peek() != ':' {
		return p.syntax("expected ':'")
	}
	p.at++
	p.out = append(p.out, ':')
	p.space()
	if err := p.value(depth); err != nil {
		return err
	}
	m.end = len(p.out)
	p.members = append(p.members, m)
	return nil
}

// order puts the members of one object into canonical order. They are the members
// from first on, and the object's text ends at the end of out. If the members are
// already in order, as in a canonical text, order changes nothing.
func (p *parser) order(first int) {
	ms := p.members[first:]
	inOrder := true
	for i := 1; i < len(ms) && inOrder; i++ {
		inOrder = p.compare(ms[i-1], ms[i]) < 0
	}
	if inOrder {
		return
	}
	start := ms[0].start
	// If several members have the same name, the one read last comes first and is
	// kept.
	slices.SortFunc(ms, func(a, b member) int { return cmp.Or(p.compare(a, b), b.start-a.start) })
	ms = slices.CompactFunc(ms, func(a, b member) bool { return p.compare(a, b) == 0 })
	p.scratch = append(p.scratch[:0], p.out[start:]...)
	p.out = p.out[:start]
	for i, m := range ms {
		if i > 0 {
			p.out = append(p.out, ',')
		}
		p.out = append(p.out, p.scratch[m.start-start:m.end-start]...)
	}
}

// compare orders two members by the length of their names, then by bytes.
func (p *parser) compare(a, b member) int {
	x, y := p.names[a.nameStart:a.nameEnd], p.names[b.nameStart:b.nameEnd]
	return cmp.Or(cmp.Compare(len(x), len(y)), bytes.Compare(x, y))
}
