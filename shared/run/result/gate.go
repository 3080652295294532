package result

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Gate is an approval that a step asks for. Its JSON form is the one that is stored.
type Gate struct {
	// AllOf and AnyOf name who must approve. Of AnyOf, AnyOfCount are needed.
	AllOf      []string `json:"all_of,omitempty"`
	AnyOf      []string `json:"any_of,omitempty"`
	AnyOfCount int      `json:"any_of_count,omitempty"`
	// Token and Name are empty if the gate has none.
	Token string `json:"token,omitempty"`
	Name  string `json:"name,omitempty"`
	// Dir and Workspace are empty for a gate of a hook.
	Dir       string `json:"dir,omitempty"`
	Workspace string `json:"workspace,omitempty"`
}

// unreadable returns a gate that nobody can pass: it asks for one of no approvers. Its
// name says what is wrong. So the result is not lost: an apply has changed the
// infrastructure already.
func unreadable(err error) Gate {
	p := asProblem(err)
	return Gate{AnyOfCount: 1, Name: "unreadable gate: " + strings.TrimSpace(p.member+" "+p.says)}
}

// decodeGates reads the gates. Every member of a gate may be null or absent. A gate
// that cannot be read becomes one that nobody can pass.
func (r *Result) decodeGates(gates json.RawMessage) {
	err := elements(gates, func(_ int, text json.RawMessage) error {
		gate, err := decodeGate(text)
		if err != nil {
			gate = unreadable(err)
		}
		r.Gates = append(r.Gates, gate)
		return nil
	})
	if err != nil {
		r.Gates = []Gate{unreadable(err)}
	}
}

func decodeGate(text json.RawMessage) (Gate, error) {
	names := []string{"token", "name", "dir", "workspace", "all_of", "any_of", "any_of_count"}
	m, err := pick(text, names...)
	if err != nil {
		return Gate{}, err
	}
	var g Gate
	for n, to := range []*string{&g.Token, &g.Name, &g.Dir, &g.Workspace} {
		if isNull(m[n]) {
			continue
		}
		if *to, err = decodeText(m[n]); err != nil {
			return Gate{}, in(names[n], err)
		}
	}
	for n, to := range []*[]string{&g.AllOf, &g.AnyOf} {
		if isNull(m[4+n]) {
			continue
		}
		err := elements(m[4+n], func(_ int, element json.RawMessage) error {
			text, err := decodeText(element)
			*to = append(*to, text)
			return err
		})
		if err != nil {
			return Gate{}, in(names[4+n], err)
		}
	}
	if isNull(m[6]) {
		return g, nil
	}
	if g.AnyOfCount, err = strconv.Atoi(strings.TrimSpace(string(m[6]))); err != nil || g.AnyOfCount < 0 {
		return Gate{}, problemf("any_of_count", "must be a whole number that is not negative")
	}
	return g, nil
}
