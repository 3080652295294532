package table

import "strings"

// Condition is what an item must be like for a write, or what a query looks for.
// The functions below make conditions.
type Condition struct {
	// write adds the condition's text to an expression.
	write func(*expression, *strings.Builder)
}

// Exists holds if the item has the attribute. Ask for an attribute of the key, such
// as pk, to learn whether there is an item.
func Exists(name string) Condition { return function("attribute_exists", name) }

// Absent holds if the item lacks the attribute, or if there is no item.
func Absent(name string) Condition { return function("attribute_not_exists", name) }

// BeginsWith holds if a string attribute begins with a text.
func BeginsWith(name string, prefix Value) Condition { return function("begins_with", name, prefix) }

// Equal holds if the attribute is there and has the value.
func Equal(name string, v Value) Condition { return comparison(name, " = ", v) }

// Differs holds if the attribute has another value, or is not there.
func Differs(name string, v Value) Condition { return comparison(name, " <> ", v) }

// Less holds if the attribute is there and less than the value: numbers as
// numbers, texts and binary values byte by byte.
func Less(name string, v Value) Condition { return comparison(name, " < ", v) }

// AtMost holds if the attribute is there and at most the value.
func AtMost(name string, v Value) Condition { return comparison(name, " <= ", v) }

// Greater holds if the attribute is there and greater than the value.
func Greater(name string, v Value) Condition { return comparison(name, " > ", v) }

// AtLeast holds if the attribute is there and at least the value.
func AtLeast(name string, v Value) Condition { return comparison(name, " >= ", v) }

// Between holds if the attribute is there and lies between two values, both
// included.
func Between(name string, low, high Value) Condition {
	return Condition{func(e *expression, b *strings.Builder) {
		e.writeName(b, name)
		b.WriteString(" BETWEEN ")
		e.writeValue(b, low)
		b.WriteString(" AND ")
		e.writeValue(b, high)
	}}
}

// In holds if the attribute has one of the values, at least one and at most 100
// ("Comparison operator and function reference", AWS documentation).
func In(name string, values ...Value) Condition {
	return Condition{func(e *expression, b *strings.Builder) {
		e.writeName(b, name)
		b.WriteString(" IN (")
		for i, v := range values {
			if i > 0 {
				b.WriteString(", ")
			}
			e.writeValue(b, v)
		}
		b.WriteString(")")
	}}
}

// Any holds if at least one of the conditions holds.
func Any(conditions ...Condition) Condition { return joined(" OR ", conditions) }

// Every holds if all of the conditions hold. Writes and queries take several
// conditions without it; it is for use inside Any.
func Every(conditions ...Condition) Condition { return joined(" AND ", conditions) }

// AbsentOr holds if the item lacks the attribute or the condition holds.
func AbsentOr(name string, c Condition) Condition { return Any(Absent(name), c) }

func comparison(name, operator string, v Value) Condition {
	return Condition{func(e *expression, b *strings.Builder) {
		e.writeName(b, name)
		b.WriteString(operator)
		e.writeValue(b, v)
	}}
}

func function(operator, name string, values ...Value) Condition {
	return Condition{func(e *expression, b *strings.Builder) {
		b.WriteString(operator)
		b.WriteString("(")
		e.writeName(b, name)
		for _, v := range values {
			b.WriteString(", ")
			e.writeValue(b, v)
		}
		b.WriteString(")")
	}}
}

func joined(operator string, conditions []Condition) Condition {
	return Condition{func(e *expression, b *strings.Builder) {
		b.WriteString("(")
		e.join(b, operator, conditions)
		b.WriteString(")")
	}}
}
