package table

import "strings"

// Condition says what an item must be like for a write, or what a query looks for.
// The functions below make conditions.
type Condition struct {
	// write adds the condition's text to an expression.
	write func(*expression, *strings.Builder)
}

// Exists holds if the item has the attribute. To find out whether there is an item,
// use an attribute of the key, such as pk.
func Exists(name string) Condition { return function("attribute_exists", name) }

// Absent holds if the item lacks the attribute, or if there is no item.
func Absent(name string) Condition { return function("attribute_not_exists", name) }

// BeginsWith holds if a string attribute begins with a text.
func BeginsWith(name string, prefix Value) Condition { return function("begins_with", name, prefix) }

// Equal holds if the attribute exists and has the value.
func Equal(name string, v Value) Condition { return comparison(name, " = ", v) }

// Differs holds if the attribute has another value, or does not exist.
func Differs(name string, v Value) Condition { return comparison(name, " <> ", v) }

// Less holds if the attribute exists and is less than the value. Numbers are
// compared as numbers, texts and binary values byte by byte.
func Less(name string, v Value) Condition { return comparison(name, " < ", v) }

// AtMost holds if the attribute exists and is at most the value.
func AtMost(name string, v Value) Condition { return comparison(name, " <= ", v) }

// Greater holds if the attribute exists and is greater than the value.
func Greater(name string, v Value) Condition { return comparison(name, " > ", v) }

// AtLeast holds if the attribute exists and is at least the value.
func AtLeast(name string, v Value) Condition { return comparison(name, " >= ", v) }

// Between holds if the attribute exists and lies between two values, both included.
func Between(name string, low, high Value) Condition {
	return Condition{func(e *expression, b *strings.Builder) {
		e.writeName(b, name)
		b.WriteString(" BETWEEN ")
		e.writeValue(b, low)
		b.WriteString(" AND ")
		e.writeValue(b, high)
	}}
}

// In holds if the attribute has one of the values. There must be at least one value
// and at most 100 ("Comparison operator and function reference", AWS
// documentation).
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

// Every holds if all of the conditions hold. It is needed only inside Any: writes
// and queries accept several conditions without it.
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
