package testrunner

import (
	"cmp"
	"slices"
)

// The types of work.
const (
	plan  = "plan"
	apply = "apply"
)

// manifest is what the runner reads of a manifest (runner protocol, 6).
type manifest struct {
	Type      string     `json:"type"`
	Token     string     `json:"token"`
	BaseRef   string     `json:"base_ref"`
	RunKind   string     `json:"run_kind"`
	Version   int        `json:"result_version"`
	Dirspaces []dirspace `json:"changed_dirspaces"`
	Config    config     `json:"config"`
}

// dirspace is a directory with a workspace on which the run works.
type dirspace struct {
	Path      string            `json:"path"`
	Workspace string            `json:"workspace"`
	Rank      int               `json:"rank"`
	Stack     string            `json:"stack_name"`
	Workflow  *int              `json:"workflow"`
	Variables map[string]string `json:"variables"`
}

// inOrder returns the dirspaces by rank.
func (m manifest) inOrder() []dirspace {
	return slices.SortedStableFunc(slices.Values(m.Dirspaces), func(a, b dirspace) int { return cmp.Compare(a.Rank, b.Rank) })
}

// config is what the runner reads of the configuration (runner protocol, 7).
type config struct {
	Hooks     hooks      `json:"hooks"`
	Workflows []workflow `json:"workflows"`
	Storage   struct {
		Plans planStorage `json:"plans"`
	} `json:"storage"`
}

type workflow struct {
	Plan  []step `json:"plan"`
	Apply []step `json:"apply"`
}

type hooks struct{ All, Plan, Apply hook }

type hook struct{ Pre, Post []step }

func (h hooks) of(work string) hook {
	if work == plan {
		return h.Plan
	}
	return h.Apply
}

func (h hooks) pre(work string) []step  { return slices.Concat(h.All.Pre, h.of(work).Pre) }
func (h hooks) post(work string) []step { return slices.Concat(h.All.Post, h.of(work).Post) }

// steps returns the steps of a dirspace: those of its workflow, or the built-in ones.
func (m manifest) steps(d dirspace) []step {
	var own []step
	if d.Workflow != nil && *d.Workflow < len(m.Config.Workflows) {
		w := m.Config.Workflows[*d.Workflow]
		own = w.Plan
		if m.Type == apply {
			own = w.Apply
		}
	}
	if own == nil {
		own = []step{{Type: "init"}, {Type: m.Type}}
	}
	return own
}

// step is a step of a workflow or of a hook (runner protocol, 7.2).
type step struct {
	Type         string            `json:"type"`
	RunOn        string            `json:"run_on"`
	IgnoreErrors bool              `json:"ignore_errors"`
	Env          map[string]string `json:"env"`
	ExtraArgs    []string          `json:"extra_args"`
	Cmd          []string          `json:"cmd"`
	Capture      *bool             `json:"capture_output"`
	VisibleOn    string            `json:"visible_on"`
	// Method, Name and Sensitive are those of a step of the type env.
	Method    string `json:"method"`
	Name      string `json:"name"`
	Sensitive bool   `json:"sensitive"`
}

// runs reports whether the step runs after others have failed or succeeded.
func (s step) runs(succeeded bool) bool {
	switch s.RunOn {
	case "always":
		return true
	case "failure":
		return !succeeded
	default:
		return succeeded
	}
}
