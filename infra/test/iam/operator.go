package iam

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// operator is a parsed condition operator, such as ForAllValues:StringLikeIfExists.
type operator struct {
	// each says which values of the request must match: "" means that the key has one value,
	// and ForAllValues and ForAnyValue are for keys with several.
	each     string
	ifExists bool
	null     bool
	negated  bool
	matches  func(want, got string) (bool, error)
}

// The values of operator.each.
const (
	forAll = "ForAllValues"
	forAny = "ForAnyValue"
)

// comparisons are the operators without a negation: those of this map with "Not" after the
// type are their negations.
var comparisons = map[string]func(want, got string) (bool, error){
	"StringEquals":             func(want, got string) (bool, error) { return want == got, nil },
	"StringEqualsIgnoreCase":   func(want, got string) (bool, error) { return strings.EqualFold(want, got), nil },
	"StringLike":               func(want, got string) (bool, error) { return like(want, got), nil },
	"ArnEquals":                arn,
	"ArnLike":                  arn,
	"Bool":                     func(want, got string) (bool, error) { return strings.EqualFold(want, got), nil },
	"NumericEquals":            numeric(func(want, got float64) bool { return got == want }),
	"NumericLessThan":          numeric(func(want, got float64) bool { return got < want }),
	"NumericLessThanEquals":    numeric(func(want, got float64) bool { return got <= want }),
	"NumericGreaterThan":       numeric(func(want, got float64) bool { return got > want }),
	"NumericGreaterThanEquals": numeric(func(want, got float64) bool { return got >= want }),
}

// negations maps negated operators to the operators that they negate.
var negations = map[string]string{
	"StringNotEquals": "StringEquals", "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase", "StringNotLike": "StringLike",
	"ArnNotEquals": "ArnEquals", "ArnNotLike": "ArnLike", "NumericNotEquals": "NumericEquals",
}

func parseOperator(name string) (operator, error) {
	var o operator
	rest := name
	if each, after, found := strings.Cut(name, ":"); found {
		if each != forAll && each != forAny {
			return o, fmt.Errorf("the operator %s is not supported", name)
		}
		o.each, rest = each, after
	}
	if rest == "Null" && o.each == "" {
		o.null = true
		return o, nil
	}
	rest, o.ifExists = strings.CutSuffix(rest, "IfExists")
	if positive, negated := negations[rest]; negated {
		rest, o.negated = positive, true
	}
	if o.matches = comparisons[rest]; o.matches == nil {
		return o, fmt.Errorf("the operator %s is not supported", name)
	}
	return o, nil
}

// holds reports whether the condition holds for the values of a key in the policy (want) and
// in the request (got).
func (o operator) holds(want, got []string, exists bool) (bool, error) {
	if o.null {
		return slices.ContainsFunc(want, func(w string) bool { return strings.EqualFold(w, "true") == !exists }), nil
	}
	if !exists {
		// "If the key is not present in the request": a negated operator, and ForAllValues,
		// hold then.
		return o.ifExists || o.each == forAll || o.each == "" && o.negated, nil
	}
	if o.each == "" && len(got) != 1 {
		return false, fmt.Errorf("the operator is for one value, and the request has %d", len(got))
	}
	for _, g := range got {
		ok, err := o.accepts(want, g)
		if err != nil {
			return false, err
		}
		if o.each == forAll && !ok {
			return false, nil
		}
		if o.each != forAll && ok {
			return true, nil
		}
	}
	return o.each == forAll, nil
}

// accepts reports whether one value of the request matches one of the policy's, or, for a
// negated operator, none of them.
func (o operator) accepts(want []string, got string) (bool, error) {
	for _, w := range want {
		ok, err := o.matches(w, got)
		if err != nil {
			return false, err
		}
		if ok {
			return !o.negated, nil
		}
	}
	return o.negated, nil
}

// arn reports whether each of the six parts of an ARN matches.
func arn(want, got string) (bool, error) {
	const parts = 6
	w, g := strings.SplitN(want, ":", parts), strings.SplitN(got, ":", parts)
	return slices.EqualFunc(w, g, like), nil
}

func numeric(compare func(want, got float64) bool) func(want, got string) (bool, error) {
	return func(want, got string) (bool, error) {
		w, err := strconv.ParseFloat(want, 64)
		if err != nil {
			return false, err
		}
		g, err := strconv.ParseFloat(got, 64)
		if err != nil {
			return false, err
		}
		return compare(w, g), nil
	}
}
