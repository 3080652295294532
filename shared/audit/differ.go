package audit

import (
	"reflect"
	"slices"

	"github.com/aws/aws-lambda-go/events"
)

// differ returns the shown attributes that a change changes, as they were before
// and as they are after. It returns false if the change changes none of them. For a
// set it returns only the members that were removed and those that were added.
func (c Change) differ(shown []string) (before, after map[string]any, ok bool) {
	before, after = c.Before.show(shown), c.After.show(shown)
	for _, name := range shown {
		was, isSet := before[name].([]string)
		is, stays := after[name].([]string)
		switch {
		case isSet && stays:
			without(before, name, was, is)
			without(after, name, is, was)
		case before != nil && reflect.DeepEqual(before[name], after[name]):
			delete(before, name)
			delete(after, name)
		}
	}
	return before, after, len(before)+len(after) > 0
}

// without keeps only the members of a set that the other set lacks. If no member is
// left, it removes the attribute.
func without(shown map[string]any, name string, set, other []string) {
	rest := slices.DeleteFunc(slices.Clone(set), func(s string) bool {
		_, both := slices.BinarySearch(other, s)
		return both
	})
	if shown[name] = rest; len(rest) == 0 {
		delete(shown, name)
	}
}

func (i Image) show(names []string) map[string]any {
	if len(i) == 0 {
		return nil
	}
	same := make(map[string]string, len(names))
	for _, name := range names {
		same[name] = name
	}
	return i.ShowAs(same)
}

// plain returns a value in a form that JSON can show. Binary values are never
// shown.
func plain(v events.DynamoDBAttributeValue) any {
	switch v.DataType() {
	case events.DataTypeNumber:
		if n, err := v.Integer(); err == nil {
			return n
		}
		return v.Number()
	case events.DataTypeBoolean:
		return v.Boolean()
	case events.DataTypeStringSet:
		return slices.Sorted(slices.Values(v.StringSet())) // a set has no order
	case events.DataTypeMap:
		m := map[string]any{}
		for name, value := range v.Map() {
			m[name] = plain(value)
		}
		return m
	case events.DataTypeString:
		return v.String()
	}
	return nil
}
