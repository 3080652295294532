package tagquery

import (
	"fmt"
	"unicode/utf8"
)

// Parse reads a query. An empty or blank text returns nil, which matches
// everything. An error is a *ParseError.
func Parse(text string) (Expr, error) {
	if len(text) > MaxBytes {
		return nil, &ParseError{MaxBytes, fmt.Sprintf("the query has %d bytes; at most %d are possible", len(text), MaxBytes)}
	}
	if !utf8.ValidString(text) {
		return nil, &ParseError{0, "the query is not valid UTF-8"}
	}
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	if p.next().kind == end {
		return nil, nil
	}
	e, err := p.expr(0)
	if err != nil {
		return nil, err
	}
	if t := p.next(); t.kind != end {
		return nil, &ParseError{t.at, fmt.Sprintf("%q has no opening parenthesis", t.text)}
	}
	return e, nil
}

type parser struct {
	tokens []token
}

func (p *parser) next() token { return p.tokens[0] }

func (p *parser) take() token {
	t := p.tokens[0]
	if t.kind != end {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *parser) accept(k kind) bool {
	if p.next().kind != k {
		return false
	}
	p.take()
	return true
}

func (p *parser) expr(depth int) (Expr, error) {
	if depth > MaxDepth {
		return nil, &ParseError{p.next().at, fmt.Sprintf("the query is nested more than %d deep", MaxDepth)}
	}
	left, err := p.and(depth)
	for err == nil && p.accept(or) {
		var right Expr
		right, err = p.and(depth)
		left = Or{left, right}
	}
	return left, err
}

func (p *parser) and(depth int) (Expr, error) {
	left, err := p.unit(depth)
	for err == nil && p.accept(and) {
		var right Expr
		right, err = p.unit(depth)
		left = And{left, right}
	}
	return left, err
}

func (p *parser) unit(depth int) (Expr, error) {
	left, err := p.primary(depth)
	if err != nil {
		return nil, err
	}
	switch p.next().kind {
	case tag, not, opening:
	default:
		return left, nil
	}
	right, err := p.expr(depth + 1)
	return And{left, right}, err
}

func (p *parser) primary(depth int) (Expr, error) {
	switch t := p.take(); t.kind {
	case tag:
		if !p.accept(in) {
			return Tag(t.text), nil
		}
		name := p.take()
		if name.kind != tag || name.text != "dir" {
			return nil, &ParseError{name.at, `only "dir" can stand behind "in"`}
		}
		return In{Fragment: t.text, Name: name.text}, nil
	case opening:
		return p.group(t, depth)
	case not:
		operand := p.take()
		switch operand.kind {
		case tag:
			if p.next().kind == in {
				return nil, &ParseError{t.at, `write "not (x in dir)" with parentheses`}
			}
			return Not{Tag(operand.text)}, nil
		case opening:
			e, err := p.group(operand, depth)
			return Not{e}, err
		default:
			return nil, &ParseError{operand.at, `"not" needs a tag or a group in parentheses behind it`}
		}
	case end:
		return nil, &ParseError{t.at, "the query ends where a tag is expected"}
	default:
		return nil, &ParseError{t.at, fmt.Sprintf("%q stands where a tag is expected", t.text)}
	}
}

// group reads what is left of a group behind its opening parenthesis.
func (p *parser) group(opened token, depth int) (Expr, error) {
	e, err := p.expr(depth + 1)
	if err != nil {
		return nil, err
	}
	if !p.accept(closing) {
		return nil, &ParseError{opened.at, "the parenthesis is not closed"}
	}
	return e, nil
}
