package result

import (
	"encoding/json"

	"github.com/opsplane/opsplane/shared/run"
)

// decodeOld reads a body in the first form, which old runners send (section 12.3
// of the runner protocol). Each output becomes a step, and the outcome of a
// dirspace is the one that the body states.
func decodeOld(overall, dirspaces json.RawMessage, size int) (*Result, error) {
	s := newStepReader(0, size)
	m, err := pick(overall, "success", "outputs")
	if err != nil {
		return nil, in("overall", err)
	}
	success, err := decodeTruth(m[0])
	if err != nil {
		return nil, in("overall", in("success", err))
	}
	var hooks picked
	if !isNull(m[1]) {
		if hooks, err = pick(m[1], "pre", "post"); err != nil {
			return nil, in("overall", in("outputs", err))
		}
	}
	if err := s.outputs(hooks[0], Scope{Type: ScopeRun, Flow: "hooks", Subflow: "pre"}); err != nil {
		return nil, in("overall", in("outputs", in("pre", err)))
	}
	stated := []Dirspace{}
	err = elements(dirspaces, func(_ int, text json.RawMessage) error {
		d, err := s.dirspace(text)
		stated = append(stated, d)
		return err
	})
	if err != nil {
		return nil, in("dirspaces", err)
	}
	if err := s.outputs(hooks[1], Scope{Type: ScopeRun, Flow: "hooks", Subflow: "post"}); err != nil {
		return nil, in("overall", in("outputs", in("post", err)))
	}
	s.r.conclude()
	s.r.Success = success
	s.r.state(stated)
	return s.r, nil
}

// state puts the outcomes that the body states in the place of those that follow
// from the steps. A dirspace that is stated twice succeeded if both did.
func (r *Result) state(stated []Dirspace) {
	learned := map[run.Dirspace]Dirspace{}
	for _, d := range r.Dirspaces {
		learned[d.Dirspace] = d
	}
	r.Dirspaces = r.Dirspaces[:0]
	place := map[run.Dirspace]int{}
	for _, d := range stated {
		if n, ok := place[d.Dirspace]; ok {
			r.Dirspaces[n].Success = r.Dirspaces[n].Success && d.Success
			continue
		}
		place[d.Dirspace] = len(r.Dirspaces)
		from := learned[d.Dirspace]
		from.Dirspace, from.Success = d.Dirspace, d.Success
		r.Dirspaces = append(r.Dirspaces, from)
	}
}

// dirspace reads a dirspace and its outputs.
func (s *stepReader) dirspace(text json.RawMessage) (Dirspace, error) {
	m, err := pick(text, "path", "workspace", "success", "outputs")
	if err != nil {
		return Dirspace{}, err
	}
	var d Dirspace
	if d.Dir, err = s.text(m[0], run.MaxDir); err != nil {
		return d, in("path", err)
	}
	if d.Workspace, err = s.text(m[1], run.MaxWorkspace); err != nil {
		return d, in("workspace", err)
	}
	if d.Success, err = decodeTruth(m[2]); err != nil {
		return d, in("success", err)
	}
	if err := s.outputs(m[3], Scope{Type: ScopeDirspace, Dir: d.Dir, Workspace: d.Workspace}); err != nil {
		return d, in("outputs", err)
	}
	return d, nil
}

// outputs reads the outputs of one scope.
func (s *stepReader) outputs(list json.RawMessage, scope Scope) error {
	if isNull(list) {
		return nil
	}
	return elements(list, func(_ int, text json.RawMessage) error {
		m, err := pick(text, "workflow_step", "success", "ignore_errors", "outputs")
		if err != nil {
			return err
		}
		step := Step{Scope: scope}
		if step.Name, err = s.stepName(m[0]); err != nil {
			return in("workflow_step", err)
		}
		if step.Success, err = decodeTruth(m[1]); err != nil {
			return in("success", err)
		}
		if !isNull(m[2]) {
			if step.IgnoreErrors, err = decodeTruth(m[2]); err != nil {
				return in("ignore_errors", err)
			}
		}
		if err := s.add(step, m[3]); err != nil {
			return in("outputs", err)
		}
		return nil
	})
}

// newNames are the names that steps of the old form have today. Other steps have
// their type as their name.
var newNames = map[string]string{
	"init": "tf/init", "plan": "tf/plan", "apply": "tf/apply", "cost-estimation": "tf/cost-estimation", "oidc": "auth/oidc",
}

func (s *stepReader) stepName(step json.RawMessage) (string, error) {
	m, err := pick(step, "type")
	if err != nil {
		return "", err
	}
	name, err := s.text(m[0], MaxName)
	if err != nil {
		return "", in("type", err)
	}
	if today, ok := newNames[name]; ok {
		return today, nil
	}
	return name, nil
}
