package runquery

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/tagquery"
)

type compiler struct {
	list List
	zone string
	now  time.Time
	sort Direction
}

func (c *compiler) node(e tagquery.Expr) (node, error) {
	switch e := e.(type) {
	case tagquery.Tag:
		return c.tag(string(e))
	case tagquery.Not:
		of, err := c.node(e.Expr)
		return notNode{of}, err
	case tagquery.And:
		left, right, err := c.both(e.Left, e.Right)
		return andNode{left, right}, err
	case tagquery.Or:
		left, right, err := c.both(e.Left, e.Right)
		return orNode{left, right}, err
	default: // tagquery.In
		return nil, &Error{ID: "IN_DIR_NOT_SUPPORTED"}
	}
}

func (c *compiler) both(left, right tagquery.Expr) (l, r node, err error) {
	if l, err = c.node(left); err != nil {
		return nil, nil, err
	}
	r, err = c.node(right)
	return l, r, err
}

func (c *compiler) tag(text string) (node, error) {
	key, value, colon := strings.Cut(text, ":")
	kind := c.list[key]
	if colon != (kind != Flag) {
		kind = 0 // a flag with a value, or a key without one
	}
	switch {
	case key == "sort" && colon:
		return c.direction(value)
	case kind == Text && prefixes[key], kind == Many && prefixes[key]:
		prefix := strings.HasSuffix(value, "*")
		return texts(kind, key, strings.TrimSuffix(value, "*"), prefix), nil
	case kind == Text, kind == Many:
		return texts(kind, key, value, false), nil
	case kind == Flag:
		return flag(key), nil
	case kind == State:
		state, ok := states[value]
		if !ok {
			return nil, &Error{ID: "Invalid state: " + value}
		}
		return one(key, state, false), nil
	case kind == RunState:
		if !slices.Contains(runStates, value) {
			return nil, unknownState(value, runStates)
		}
		return one(key, value, false), nil
	case kind == Standing:
		if !slices.Contains(standings, value) {
			return nil, unknownState(value, standings)
		}
		return many(key, value, false), nil
	case kind == UUID:
		id, err := uuid.Parse(value)
		if err != nil || len(value) != len(id.String()) {
			return nil, &Error{ID: "INVALID_ID", Data: value}
		}
		return one(key, id.String(), false), nil
	case kind == Number:
		return number(key, value)
	case kind == Time:
		return c.times(key, value)
	case kind == Duration:
		return durations(key, value)
	case colon:
		return nil, &Error{ID: "UNKNOWN_TAG", Data: key}
	default:
		return nil, &Error{ID: "UNKNOWN_TAG", Data: text}
	}
}

// unknownState refuses a state that a list does not know.
func unknownState(value string, known []string) error {
	return &Error{ID: "Invalid state: " + value, Data: "the states are " + strings.Join(known, ", ")}
}

func texts(kind Kind, key, value string, prefix bool) node {
	if kind == Many {
		return many(key, value, prefix)
	}
	return one(key, value, prefix)
}

func (c *compiler) direction(value string) (node, error) {
	switch value {
	case "asc":
		c.sort = Ascending
	case "desc":
		c.sort = Descending
	default:
		return nil, &Error{ID: "UNKNOWN_TAG", Data: "sort"}
	}
	return always{}, nil
}

func number(key, value string) (node, error) {
	want, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return nil, &Error{ID: "INVALID_NUMBER", Data: value}
	}
	return test{key: key, term: []Term{{Key: key, Value: strconv.FormatInt(want, 10)}}, compare: func(r Row) truth {
		found, ok := r.Number(key)
		if !ok {
			return unknown
		}
		return truthOf(found == want)
	}}, nil
}

// durations reads "A..", "..B" or "A..B": A is included, B is not.
func durations(key, value string) (node, error) {
	from, to, isRange := strings.Cut(value, "..")
	if !isRange || from == "" && to == "" {
		return nil, &Error{ID: "BAD_DURATION_FORMAT", Data: value}
	}
	bounds := [2]time.Duration{0, 1<<63 - 1}
	for i, text := range []string{from, to} {
		if text == "" {
			continue
		}
		bound, err := time.ParseDuration(text)
		if err != nil || bound < 0 {
			return nil, &Error{ID: "BAD_DURATION_FORMAT", Data: value}
		}
		bounds[i] = bound
	}
	return test{key: key, compare: func(r Row) truth {
		seconds, ok := r.Number(key)
		if !ok {
			return unknown
		}
		found := time.Duration(seconds) * time.Second
		return truthOf(found >= bounds[0] && found < bounds[1])
	}}, nil
}
