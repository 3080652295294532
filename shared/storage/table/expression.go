package table

import (
	"strconv"
	"strings"
)

// expression collects the placeholders of one request: names as #name, values as
// :0, :1 and so on. A map stays nil while it would be empty, because DynamoDB
// refuses empty ones.
type expression struct {
	names  map[string]string
	values Item
}

func newExpression() *expression { return &expression{} }

// writeName writes the placeholder of a name, or of each name on a path with dots.
// A placeholder is a part of the text that has been written, so it takes no memory
// of its own.
func (e *expression) writeName(b *strings.Builder, path string) {
	if e.names == nil {
		e.names = make(map[string]string, 8)
	}
	for name, rest, more := "", path, true; more; {
		name, rest, more = strings.Cut(rest, ".")
		start := b.Len()
		b.WriteByte('#')
		b.WriteString(name)
		e.names[b.String()[start:]] = name
		if more {
			b.WriteByte('.')
		}
	}
}

// writeValue writes the placeholder of a value.
func (e *expression) writeValue(b *strings.Builder, v Value) {
	if e.values == nil {
		e.values = make(Item, 8)
	}
	start := b.Len()
	b.WriteByte(':')
	b.WriteString(strconv.Itoa(len(e.values)))
	e.values[b.String()[start:]] = v
}

func (e *expression) join(b *strings.Builder, operator string, conditions []Condition) {
	for i, c := range conditions {
		if i > 0 {
			b.WriteString(operator)
		}
		c.write(e, b)
	}
}

// all returns the text of a condition that holds if all conditions hold. It returns
// nil if there are none.
func (e *expression) all(conditions []Condition) *string {
	if len(conditions) == 0 {
		return nil
	}
	var b strings.Builder
	e.join(&b, " AND ", conditions)
	text := b.String()
	return &text
}

// projection returns the list of attributes to return. It returns nil for all
// attributes.
func (e *expression) projection(names []string) *string {
	if len(names) == 0 {
		return nil
	}
	var b strings.Builder
	e.list(&b, names)
	text := b.String()
	return &text
}

func (e *expression) list(b *strings.Builder, names []string) {
	for i, name := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		e.writeName(b, name)
	}
}

// partBytes is about how many bytes one part of an update takes in its text.
const partBytes = 12

// update returns the text of a change. It returns nil for a change that changes
// nothing, which DynamoDB accepts.
func (e *expression) update(u *Edit) *string {
	var b strings.Builder
	parts := len(u.sets) + len(u.removes) + len(u.sums) + len(u.takes) + len(u.conditions)
	b.Grow(partBytes * parts)
	if e.names == nil {
		e.names = make(map[string]string, parts)
	}
	if e.values == nil {
		e.values = make(Item, parts)
	}
	for i, s := range u.sets {
		b.WriteString(clause(i, "SET "))
		e.assign(&b, s)
	}
	if len(u.removes) > 0 {
		b.WriteString(" REMOVE ")
		e.list(&b, u.removes)
	}
	e.pairs(&b, " ADD ", u.sums)
	e.pairs(&b, " DELETE ", u.takes)
	if len(e.names) == 0 {
		e.names = nil
	}
	if len(e.values) == 0 {
		e.values = nil
	}
	if b.Len() == 0 {
		return nil
	}
	text := b.String()
	return &text
}

// pairs writes a clause whose parts are a name and a value.
func (e *expression) pairs(b *strings.Builder, keyword string, list []assignment) {
	for i, s := range list {
		b.WriteString(clause(i, keyword))
		e.writeName(b, s.name)
		b.WriteByte(' ')
		e.writeValue(b, s.value)
	}
}

// clause returns what stands before the i-th part of a clause.
func clause(i int, keyword string) string {
	if i == 0 {
		return keyword
	}
	return ", "
}

func (e *expression) assign(b *strings.Builder, s assignment) {
	e.writeName(b, s.name)
	b.WriteString(" = ")
	if !s.keep && s.first == nil {
		e.writeValue(b, s.value)
		return
	}
	b.WriteString("if_not_exists(")
	e.writeName(b, s.name)
	b.WriteString(", ")
	if s.keep {
		e.writeValue(b, s.value)
		b.WriteByte(')')
		return
	}
	e.writeValue(b, s.first)
	b.WriteString(") + ")
	e.writeValue(b, s.value)
}
