package result

import (
	"encoding/json"

	"github.com/opsplane/opsplane/shared/run"
)

// Hooks are the outcomes of the hooks of a run: nil if there were none.
type Hooks struct{ Pre, Post *bool }

// Dirspace is what a result says about one dirspace.
type Dirspace struct {
	// Dirspace is as the runner names it. It may be one that the run does not have.
	run.Dirspace
	// Success reports whether every step passed.
	Success bool
	// HasChanges is what the last successful plan reports; nil if there is none, or
	// if it does not say.
	HasChanges *bool
	// Counts are what the last successful plan or apply says about resources; nil
	// if it says nothing that can be read.
	Counts *Counts
	// Outputs are the outputs after the last apply that has any, by their names,
	// without the values of sensitive ones. It is a JSON object, or nil.
	Outputs json.RawMessage
}

// Destroys reports whether the plan destroys resources, or whether the apply has
// destroyed some; nil if that is not known. A replacement destroys a resource.
func (d Dirspace) Destroys() *bool {
	if d.Counts == nil {
		return nil
	}
	destroys := d.Counts.Destroy > 0
	return &destroys
}

// Outcome returns the bits of the dirspace, without PlanStored. A bit is set only
// if the result says so.
func (d Dirspace) Outcome() run.Outcome {
	bits := run.HasResult
	if d.Success {
		bits |= run.Succeeded
	}
	if d.HasChanges != nil && *d.HasChanges {
		bits |= run.HasChanges
	}
	if destroys := d.Destroys(); destroys != nil && *destroys {
		bits |= run.HasChanges | run.Destroys
	}
	return bits
}

// Read returns what the steps of a result say that was stored, and read again. It has no
// gates. payloads are those of the steps, as Result.Payloads.
func Read(steps []Step, payloads []byte) *Result {
	r := &Result{Kind: Steps, Steps: steps, Payloads: payloads}
	r.conclude()
	return r
}

// conclude derives the outcomes from the steps (section 13.4 of the runner
// protocol). A result without any step shows no work, so it is no success.
func (r *Result) conclude() {
	r.Success = len(r.Steps) > 0
	found := map[run.Dirspace]int{}
	for _, step := range r.Steps {
		r.Success = r.Success && step.Passed()
		switch scope := step.Scope; {
		case scope.Type == ScopeDirspace:
			key := run.Dirspace{Dir: scope.Dir, Workspace: scope.Workspace}
			n, ok := found[key]
			if !ok {
				n = len(r.Dirspaces)
				found[key] = n
				r.Dirspaces = append(r.Dirspaces, Dirspace{Dirspace: key, Success: true})
			}
			d := &r.Dirspaces[n]
			d.Success = d.Success && step.Passed()
			d.learn(step, r.Payload(step))
		case scope.Type == ScopeRun && scope.Flow == "hooks" && scope.Subflow == "pre":
			r.Hooks.Pre = both(r.Hooks.Pre, step.Passed())
		case scope.Type == ScopeRun && scope.Flow == "hooks" && scope.Subflow == "post":
			r.Hooks.Post = both(r.Hooks.Post, step.Passed())
		}
	}
}

// both adds the outcome of one more step.
func both(so *bool, passed bool) *bool {
	passed = passed && (so == nil || *so)
	return &passed
}

// Outcomes returns the outcomes of the dirspaces of a run, in their order. A
// dirspace without a step has no result. Dirspaces that the run does not have are
// left out.
func (r *Result) Outcomes(of []run.Dirspace) []run.Outcome {
	known := make(map[run.Dirspace]run.Outcome, len(r.Dirspaces))
	for _, d := range r.Dirspaces {
		known[d.Dirspace] = d.Outcome()
	}
	list := make([]run.Outcome, len(of))
	for n, d := range of {
		list[n] = known[d]
	}
	return list
}
