// Package manifest makes the document that tells a runner what to do: the response
// to POST /v1/work-manifests/{id}/initiate (section 6 of the runner protocol). The
// package is pure.
//
// A run freezes its document when it is created, and the runner may ask for it
// several times. So the same Work always makes the same bytes. The frozen bytes do
// not hold the run's token; WithToken adds it to a response.
package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Versions and values that every document has.
const (
	// resultVersion makes the runner send results in the new form. Without it, the
	// runner converts them to the old form and crashes on some.
	resultVersion   = 2
	protocolVersion = 1
	defaultStack    = "default"
	// MinToken is the smallest length of a token in bytes. The runner masks the
	// token wherever it occurs in its output, so a short one would destroy text.
	MinToken = 32
)

// Work is what a run has to do.
type Work struct {
	// Type is the type of the run. An unsafe apply cannot be given to a runner.
	Type         run.Type
	Installation vcs.Installation
	Kind         run.Kind
	// BaseBranch is the branch that the runner merges before it begins.
	BaseBranch string
	// APIBase is the public address of the API, such as "https://host/api". The
	// runner appends the name of the VCS.
	APIBase string
	// Config is the repository configuration: a JSON object, or nil for an empty
	// one.
	Config json.RawMessage
	// CostProxy says that this server has the proxy for prices. Without it, the
	// runner's cost estimation would fail.
	CostProxy bool
	// PlanUploads says that the runner of a plan uploads plans to the bucket of this
	// server, unless the configuration says how plans are kept.
	PlanUploads bool
	// Dirspaces are what a plan or an apply works on.
	Dirspaces []Dirspace
	// Before and After are all dirspaces of the repository before and after the
	// change. Only the cost estimation of a plan reads them.
	Before, After []run.Dirspace
	// Dirs are the directories that an index looks at.
	Dirs []string
}

// Dirspace is a dirspace that a plan or an apply works on.
type Dirspace struct {
	run.Dirspace
	// Stack is the name of the stack. Empty is the stack "default".
	Stack string
	// Workflow is the place of the workflow in the configuration, from 0. Nil is the
	// default workflow.
	Workflow *int
	// Variables are exported to the steps.
	Variables map[string]string
}

// document has the members of section 6.1 in its order. A nil member is left out,
// because the runner crashes on some that are null.
type document struct {
	Type            run.Type        `json:"type"`
	ResultVersion   int             `json:"result_version,omitempty"`
	ProtocolVersion int             `json:"protocol_version,omitempty"`
	Installation    vcs.ID          `json:"installation_id,omitempty"`
	APIBase         string          `json:"api_base_url,omitempty"`
	BaseRef         string          `json:"base_ref"`
	Kind            run.KindName    `json:"run_kind,omitempty"`
	KindData        *kindData       `json:"run_kind_data,omitempty"`
	Capabilities    *[]string       `json:"capabilities,omitempty"`
	Changed         *[]changed      `json:"changed_dirspaces,omitempty"`
	Dirspaces       *[]place        `json:"dirspaces,omitempty"`
	BaseDirspaces   *[]place        `json:"base_dirspaces,omitempty"`
	Dirs            *[]string       `json:"dirs,omitempty"`
	Config          json.RawMessage `json:"config"`
}

// kindData has the number of the pull request as a string, which the step "gates"
// reads.
type kindData struct {
	ID string `json:"id"`
}

type place struct {
	Path      string `json:"path"`
	Workspace string `json:"workspace"`
}

// changed is a dirspace to work on. Its rank is always 0: what must run later is in
// another run.
type changed struct {
	place
	Rank      int               `json:"rank"`
	Stack     string            `json:"stack_name"`
	Workflow  *int              `json:"workflow,omitempty"`
	Variables map[string]string `json:"variables,omitempty"`
}

// Done is the document that says that there is no more work.
func Done() []byte { return []byte(`{"type":"done"}`) }

// Build returns the frozen document of a work, without the token. An error says
// what is wrong with the work; trying again does not help.
func Build(w Work) ([]byte, error) {
	d := document{Type: w.Type.Shown(), BaseRef: w.BaseBranch}
	if w.BaseBranch == "" {
		return nil, errors.New("the run has no base branch")
	}
	c, err := parseConfig(w.Config)
	if err != nil {
		return nil, err
	}
	switch {
	case w.Type == run.UnsafeApply:
		return nil, errors.New("a runner cannot do an unsafe apply; plan, then apply")
	case w.Type.IsPlan(), w.Type.IsApply():
		if err := d.dirspaces(w, c); err != nil {
			return nil, err
		}
		if err := c.estimateCosts(w.CostProxy); err != nil {
			return nil, err
		}
		if w.PlanUploads && w.Type.IsPlan() {
			err = c.uploadPlans(d.APIBase)
		}
	case w.Type == run.Index:
		d.Dirs = list(w.Dirs, func(dir string) string { return dir })
	case w.Type == run.BuildConfig:
		err = c.needBuilder("config_builder")
	case w.Type == run.BuildTree:
		err = c.needBuilder("tree_builder")
	default:
		err = fmt.Errorf("a run has the unknown type %q", w.Type)
	}
	if err != nil {
		return nil, err
	}
	if d.Config, err = encode(c); err != nil {
		return nil, err
	}
	return encode(d)
}

// dirspaces adds what only plans and applies have.
func (d *document) dirspaces(w Work, c config) error {
	d.ResultVersion, d.ProtocolVersion = resultVersion, protocolVersion
	d.Installation, d.APIBase = w.Installation.ID, strings.TrimSuffix(w.APIBase, "/")+"/"+string(w.Installation.VCS)
	d.Kind, d.Capabilities = w.Kind.Name, &[]string{}
	if w.Kind.Name == run.PullRequest {
		d.KindData = &kindData{strconv.FormatInt(w.Kind.Number, 10)}
	}
	for _, each := range w.Dirspaces {
		if n := each.Workflow; n != nil && (*n < 0 || *n >= c.workflows()) {
			return fmt.Errorf("%s has the workflow %d, but the configuration has %d workflows", each, *n, c.workflows())
		}
	}
	d.Changed = list(w.Dirspaces, func(each Dirspace) changed {
		stack := each.Stack
		if stack == "" {
			stack = defaultStack
		}
		return changed{place: placeOf(each.Dirspace), Stack: stack, Workflow: each.Workflow, Variables: each.Variables}
	})
	if w.Type.IsPlan() {
		d.Dirspaces, d.BaseDirspaces = list(w.After, placeOf), list(w.Before, placeOf)
	}
	return nil
}

func placeOf(d run.Dirspace) place { return place{d.Dir, d.Workspace} }

// list returns a list that is never null.
func list[T, U any](from []T, form func(T) U) *[]U {
	made := make([]U, len(from))
	for i, each := range from {
		made[i] = form(each)
	}
	return &made
}

// WithToken returns the response for a runner: the frozen document with the token
// as its last member.
func WithToken(frozen []byte, token string) ([]byte, error) {
	if len(token) < MinToken {
		return nil, fmt.Errorf("a token of %d bytes is too short; it needs %d", len(token), MinToken)
	}
	open, ok := bytes.CutSuffix(frozen, []byte("}"))
	if !ok {
		return nil, errors.New("the frozen document is no JSON object")
	}
	quoted, err := encode(token)
	if err != nil {
		return nil, err
	}
	response := make([]byte, 0, len(frozen)+len(quoted)+len(`,"token":`))
	response = append(append(response, open...), `,"token":`...)
	return append(append(response, quoted...), '}'), nil
}

// encode returns JSON without a line break at its end, and without escapes that
// only HTML needs.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
