package runquery

import "strings"

// truth is a value of three-valued logic. Its order is that of the operators:
// "and" is the smaller operand, "or" the larger one.
type truth int

const (
	no truth = iota
	unknown
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// node is a part of a query.
type node interface {
	truth(r Row) truth
	// bounds returns the smallest and the largest truth that the part can have, by
	// what is known of a row.
	bounds(r PartialRow) (low, high truth)
	// needs returns the terms that every row has of which the part is true.
	needs() []Term
}

type (
	andNode struct{ left, right node }
	orNode  struct{ left, right node }
	notNode struct{ of node }
	// always is true of every row.
	always struct{}
	// test is a comparison with one key of a row.
	test struct {
		key     string
		some    bool // one of several values is enough
		compare func(r Row) truth
		term    []Term // none or one
	}
)

func (n andNode) truth(r Row) truth { return min(n.left.truth(r), n.right.truth(r)) }
func (n orNode) truth(r Row) truth  { return max(n.left.truth(r), n.right.truth(r)) }
func (n notNode) truth(r Row) truth { return yes - n.of.truth(r) }
func (always) truth(Row) truth      { return yes }
func (n test) truth(r Row) truth    { return n.compare(r) }

func (n andNode) bounds(r PartialRow) (low, high truth) {
	leftLow, leftHigh := n.left.bounds(r)
	rightLow, rightHigh := n.right.bounds(r)
	return min(leftLow, rightLow), min(leftHigh, rightHigh)
}

func (n orNode) bounds(r PartialRow) (low, high truth) {
	leftLow, leftHigh := n.left.bounds(r)
	rightLow, rightHigh := n.right.bounds(r)
	return max(leftLow, rightLow), max(leftHigh, rightHigh)
}

func (n notNode) bounds(r PartialRow) (low, high truth) {
	low, high = n.of.bounds(r)
	return yes - high, yes - low
}

func (always) bounds(PartialRow) (low, high truth) { return yes, yes }

func (n test) bounds(r PartialRow) (low, high truth) {
	known := r.Known(n.key)
	if !known && !n.some {
		return no, yes
	}
	found := n.compare(r)
	if known || found == yes {
		return found, found
	}
	return no, yes
}

func (n andNode) needs() []Term { return append(n.left.needs(), n.right.needs()...) }
func (orNode) needs() []Term    { return nil }
func (notNode) needs() []Term   { return nil }
func (always) needs() []Term    { return nil }
func (n test) needs() []Term    { return n.term }

// Term is something that every row has that a query matches.
type Term struct {
	// Key is the key of the list.
	Key string
	// Value is the text that the row has for Key, or with Prefix the beginning of
	// it.
	Value  string
	Prefix bool
	// Times is set for a Time key instead of Value.
	Times Interval
}

// Terms returns what every row has that the query matches, in reading order: the
// tags that stand under no "or" and no "not". A walk over the rows of one of them
// finds all matches.
func (q Query) Terms() []Term {
	if q.root == nil {
		return nil
	}
	return q.root.needs()
}

// one compares a text that may be absent.
func one(key, value string, prefix bool) test {
	if value == "" && !prefix {
		return test{key: key, compare: func(r Row) truth {
			found := r.Texts(key)
			return truthOf(len(found) == 0 || found[0] == "")
		}}
	}
	return test{key: key, term: []Term{{Key: key, Value: value, Prefix: prefix}}, compare: func(r Row) truth {
		found := r.Texts(key)
		if len(found) == 0 {
			return unknown
		}
		return truthOf(matches(found[0], value, prefix))
	}}
}

// many looks for a text among those of a row.
func many(key, value string, prefix bool) test {
	return test{key: key, some: true, term: []Term{{Key: key, Value: value, Prefix: prefix}}, compare: func(r Row) truth {
		for _, found := range r.Texts(key) {
			if matches(found, value, prefix) {
				return yes
			}
		}
		return no
	}}
}

func matches(found, value string, prefix bool) bool {
	return found == value || prefix && strings.HasPrefix(found, value)
}

// flag is a value that is written bare.
func flag(key string) test {
	return test{key: key, compare: func(r Row) truth {
		value, ok := r.Flag(key)
		if !ok {
			return unknown
		}
		return truthOf(value)
	}}
}
