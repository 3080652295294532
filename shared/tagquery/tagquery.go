// Package tagquery reads tag queries: boolean expressions over tags, as they
// stand in the parameter q, in commands and in a repository's configuration. The
// package is pure. It knows the grammar, not the meaning of a tag: that is its
// user's. Its invariant: what Parse returns prints as a text that parses to the
// same expression.
//
//	query   = [ expr ]
//	expr    = and { "or" and }
//	and     = unit { "and" unit }
//	unit    = primary [ expr ]
//	primary = TAG | TAG "in" TAG | "not" TAG | "not" "(" expr ")" | "(" expr ")"
//
// Two primaries beside each other mean "and", with a wide reach: everything from
// the second one to the end of the group is the right operand. So "a b or c" means
// "a and (b or c)", and "a and b or c" means "(a and b) or c".
package tagquery

import (
	"fmt"
	"strings"
)

// Expr is an expression: nil (matches everything), Tag, In, Not, And or Or.
type Expr interface {
	// print writes the expression; within is how tightly the surroundings bind.
	print(b *strings.Builder, within binding)
}

// Tag is a tag by its text.
type Tag string

// In is "FRAGMENT in NAME". Only the name "dir" is allowed.
type In struct{ Fragment, Name string }

// Not is the negation of an expression.
type Not struct{ Expr Expr }

// And is true where both operands are.
type And struct{ Left, Right Expr }

// Or is true where one of the operands is.
type Or struct{ Left, Right Expr }

// Limits of a query. A query comes from a parameter, from a comment or from a file
// that anybody may write.
const (
	// MaxBytes is the longest text of a query.
	MaxBytes = 8192
	// MaxDepth bounds nesting: parentheses, and primaries beside each other.
	MaxDepth = 100
)

// ParseError says why a text is no query.
type ParseError struct {
	// At is the position of the mistake, in bytes from 0.
	At int
	// Why names the mistake.
	Why string
}

// Error implements error.
func (e *ParseError) Error() string { return fmt.Sprintf("byte %d: %s", e.At, e.Why) }

// binding says how tightly an operator binds.
type binding int

const (
	bindsOr binding = iota
	bindsAnd
	bindsTag
)

// String returns the text of an expression with as few parentheses as possible;
// of nil the empty text. Operators are always written as words.
func String(e Expr) string {
	if e == nil {
		return ""
	}
	var b strings.Builder
	e.print(&b, bindsOr)
	return b.String()
}

func (t Tag) print(b *strings.Builder, _ binding) { b.WriteString(quote(string(t))) }

func (i In) print(b *strings.Builder, within binding) {
	// A negation takes no bare "in".
	open(b, within >= bindsTag, func() { b.WriteString(quote(i.Fragment) + " in " + quote(i.Name)) })
}

func (n Not) print(b *strings.Builder, within binding) {
	open(b, within >= bindsTag, func() {
		b.WriteString("not ")
		n.Expr.print(b, bindsTag)
	})
}

func (a And) print(b *strings.Builder, within binding) {
	open(b, within > bindsAnd, func() {
		a.Left.print(b, bindsAnd)
		b.WriteString(" and ")
		right(b, a.Right, bindsAnd)
	})
}

func (o Or) print(b *strings.Builder, within binding) {
	open(b, within > bindsOr, func() {
		o.Left.print(b, bindsOr)
		b.WriteString(" or ")
		right(b, o.Right, bindsOr)
	})
}

// right prints a right operand. Operators are left associative, so that one of
// the same kind needs parentheses there.
func right(b *strings.Builder, e Expr, within binding) { e.print(b, within+1) }

func open(b *strings.Builder, needed bool, inner func()) {
	if needed {
		b.WriteByte('(')
		defer b.WriteByte(')')
	}
	inner()
}

// quote writes a tag so that it is read back as one.
func quote(tag string) string {
	if tag != "" && !isKeyword(tag) && !strings.ContainsAny(tag, special) {
		return tag
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(tag) + `"`
}

// special are the characters that a bare tag does not have.
const special = " \t\r\n'\"()"
