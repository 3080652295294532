package result

import (
	"encoding/json"

	"github.com/opsplane/opsplane/shared/api/jsonobject"
	"github.com/opsplane/opsplane/shared/run"
)

// Step is one step that the runner has made.
type Step struct {
	// Name is the name of the step, such as tf/plan.
	Name  string
	Scope Scope
	// Success is what the step itself reports. IgnoreErrors says that its failure
	// does not count.
	Success, IgnoreErrors bool
	// Offset and Length are the range of the payload in Result.Payloads, in bytes.
	Offset, Length int
}

// Passed reports whether the step lets its scope succeed.
func (s Step) Passed() bool { return s.Success || s.IgnoreErrors }

// The types of scopes. Another type is kept; such steps count only for the overall
// success.
const (
	// ScopeDirspace is the type of the scope of one dirspace: it has Dir and
	// Workspace.
	ScopeDirspace = "dirspace"
	// ScopeRun is the type of the scope of a whole run: it has Flow and Subflow.
	ScopeRun = "run"
)

// Scope says what a step belongs to.
type Scope struct {
	Type           string
	Dir, Workspace string
	Flow, Subflow  string // "hooks", and "pre" or "post"
}

// stepReader collects the steps of a body.
type stepReader struct {
	r     *Result
	known map[string]string // each text once, because scopes repeat
}

// newStepReader makes room for n steps and for payloads of at most size bytes.
func newStepReader(n, size int) *stepReader {
	return &stepReader{
		r:     &Result{Kind: Steps, Steps: make([]Step, 0, n), Payloads: make([]byte, 0, size)},
		known: map[string]string{},
	}
}

func decodeSteps(steps, gates json.RawMessage, size int) (*Result, error) {
	s := newStepReader(count(steps), size)
	if err := elements(steps, func(_ int, step json.RawMessage) error { return s.step(step) }); err != nil {
		return nil, in("steps", err)
	}
	s.r.conclude()
	if isNull(gates) {
		return s.r, nil
	}
	s.r.decodeGates(gates)
	return s.r, nil
}

// count returns the number of elements of an array.
func count(array json.RawMessage) int {
	n := 0
	for range jsonobject.Elements(array) {
		n++
	}
	return n
}

// step reads a step. Members that the contract requires but that do not exist in a
// real step, such as location, are not looked at.
func (s *stepReader) step(text json.RawMessage) error {
	m, err := pick(text, "step", "scope", "success", "ignore_errors", "payload")
	if err != nil {
		return err
	}
	var step Step
	if step.Name, err = s.text(m[0], MaxName); err != nil {
		return in("step", err)
	}
	if step.Scope, err = s.scope(m[1]); err != nil {
		return in("scope", err)
	}
	if step.Success, err = decodeTruth(m[2]); err != nil {
		return in("success", err)
	}
	if !isNull(m[3]) {
		if step.IgnoreErrors, err = decodeTruth(m[3]); err != nil {
			return in("ignore_errors", err)
		}
	}
	if err := s.add(step, m[4]); err != nil {
		return in("payload", err)
	}
	return nil
}

// add adds a step with its payload. No payload is an empty one.
func (s *stepReader) add(step Step, payload json.RawMessage) error {
	if isNull(payload) {
		payload = json.RawMessage("{}")
	}
	if kind(payload) != "an object" {
		return problemf("", "must be an object, but it is %s", kind(payload))
	}
	step.Offset = len(s.r.Payloads)
	var err error
	if s.r.Payloads, err = appendValue(s.r.Payloads, payload, plain); err != nil {
		return err
	}
	step.Length = len(s.r.Payloads) - step.Offset
	s.r.Steps = append(s.r.Steps, step)
	return nil
}

// scope reads a scope. The type may be absent if the other members show it.
func (s *stepReader) scope(text json.RawMessage) (Scope, error) {
	m, err := pick(text, "type", "dir", "workspace", "flow", "subflow")
	if err != nil {
		return Scope{}, err
	}
	var scope Scope
	for n, to := range []struct {
		name string
		text *string
		most int
	}{
		{"type", &scope.Type, MaxName},
		{"dir", &scope.Dir, run.MaxDir},
		{"workspace", &scope.Workspace, run.MaxWorkspace},
		{"flow", &scope.Flow, MaxName},
		{"subflow", &scope.Subflow, MaxName},
	} {
		if isNull(m[n]) {
			continue
		}
		if *to.text, err = s.text(m[n], to.most); err != nil {
			return Scope{}, in(to.name, err)
		}
	}
	if isNull(m[0]) {
		switch {
		case m[1] != nil && m[2] != nil:
			scope.Type = ScopeDirspace
		case m[3] != nil && m[4] != nil:
			scope.Type = ScopeRun
		default:
			return Scope{}, problemf("type", "is missing")
		}
	}
	if scope.Type == ScopeDirspace && (isNull(m[1]) || isNull(m[2])) {
		return Scope{}, problemf("", "of the type dirspace needs the members dir and workspace")
	}
	return scope, nil
}

// text reads a text that many steps have. most is its maximum length in bytes: the
// items that hold the names of many steps have a limit.
func (s *stepReader) text(value json.RawMessage, most int) (string, error) {
	text, known := s.known[string(value)]
	if !known {
		var err error
		if text, err = decodeText(value); err != nil {
			return "", err
		}
		s.known[string(value)] = text
	}
	if len(text) > most {
		return "", problemf("", "has %d bytes; at most %d are possible", len(text), most)
	}
	return text, nil
}
