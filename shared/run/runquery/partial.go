package runquery

// PartialRow is a row of which not everything is known yet. What its other methods
// return for a key that is not known does not matter, with one exception: the texts
// of a key of the kind Many are some of its values, and there may be more.
type PartialRow interface {
	Row
	// Known reports whether the row's value for a key is known, or that it is
	// absent.
	Known(key string) bool
}

// Verdict says whether a row matches, by what is known of it.
type Verdict int

// The verdicts.
const (
	// Never says that the row does not match, whatever the rest is.
	Never Verdict = iota
	// Perhaps says that it depends on what is not known.
	Perhaps
	// Always says that the row matches, whatever the rest is.
	Always
)

// Judge says whether a row matches, by what is known of it. If everything is known,
// it says what Match says.
func (q Query) Judge(r PartialRow) Verdict {
	if q.root == nil {
		return Always
	}
	switch low, high := q.root.bounds(r); {
	case high != yes:
		return Never
	case low == yes:
		return Always
	default:
		return Perhaps
	}
}

// Fold computes a value from the parts of a query, from the tags upwards.
type Fold[T any] struct {
	// Term returns the value of a tag that has a Term.
	Term func(Term) T
	// And and Or join the values of two operands.
	And, Or func(left, right T) T
	// Other is the value of every other part: of "not", and of tags without a Term.
	Other T
}

// Of returns the value of a query.
func (f Fold[T]) Of(q Query) T {
	if q.root == nil {
		return f.Other
	}
	return f.of(q.root)
}

func (f Fold[T]) of(n node) T {
	switch n := n.(type) {
	case andNode:
		return f.And(f.of(n.left), f.of(n.right))
	case orNode:
		return f.Or(f.of(n.left), f.of(n.right))
	case test:
		if len(n.term) > 0 {
			return f.Term(n.term[0])
		}
	}
	return f.Other
}
