package testrunner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Engine plans and applies a directory. The text of what it returns is what was printed,
// also with an error.
type Engine interface {
	// Name is the name of the program.
	Name() string
	// Init prepares the directory and selects the workspace.
	Init(ctx context.Context, at place) (text string, err error)
	// Plan writes the plan into at.plan.
	Plan(ctx context.Context, at place) (Planned, error)
	// Apply applies the plan in at.plan.
	Apply(ctx context.Context, at place) (Applied, error)
}

// Planned is what a plan says.
type Planned struct {
	Text       string
	HasChanges bool
}

// Applied is what an apply has done.
type Applied struct {
	Text string
	// Outputs is an object by name: the type, the value, and whether it is sensitive. It is
	// nil if there are none.
	Outputs map[string]any
}

// Find returns the engine of this machine: Terraform, or else OpenTofu, or else a StandIn.
func Find() Engine {
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return Program{path}
		}
	}
	return StandIn{}
}

// Program is Terraform or OpenTofu.
type Program struct {
	// Path is that of the program.
	Path string
}

// Name implements Engine.
func (p Program) Name() string { return filepath.Base(p.Path) }

// Init implements Engine.
func (p Program) Init(ctx context.Context, at place) (string, error) {
	if err := os.RemoveAll(filepath.Join(at.dir, ".terraform")); err != nil {
		return "", err
	}
	args := []string{"init", "-input=false", "-no-color"}
	if at.state != "" {
		if err := os.MkdirAll(at.state, 0o700); err != nil {
			return "", err
		}
		args = append(args, "-backend-config=path="+filepath.Join(at.state, "terraform.tfstate"), "-backend-config=workspace_dir="+filepath.Join(at.state, "workspaces"))
	}
	_, text, err := p.run(ctx, at, append(args, at.extra...)...)
	if err != nil {
		return text, err
	}
	_, selected, err := p.run(ctx, at, "workspace", "select", "-no-color", "-or-create=true", at.Workspace)
	return text + selected, err
}

func (p Program) run(ctx context.Context, at place, args ...string) (out, both string, err error) {
	return program(ctx, at.dir, append(at.env, "CHECKPOINT_DISABLE=1"), p.Path, args...)
}

// changed is the exit code of a plan that has changes, with -detailed-exitcode.
const changed = 2

// Plan implements Engine.
func (p Program) Plan(ctx context.Context, at place) (Planned, error) {
	_, text, err := p.run(ctx, at, append([]string{"plan", "-input=false", "-no-color", "-detailed-exitcode", "-out=" + at.plan}, at.extra...)...)
	changes := code(err) == changed
	if err != nil && !changes {
		return Planned{Text: text}, err
	}
	shown, both, err := p.run(ctx, at, "show", "-no-color", at.plan)
	if err != nil {
		return Planned{Text: text + both}, err
	}
	return Planned{shown, changes}, nil
}

// Apply implements Engine.
func (p Program) Apply(ctx context.Context, at place) (Applied, error) {
	_, text, err := p.run(ctx, at, append(append([]string{"apply", "-input=false", "-no-color"}, at.extra...), at.plan)...)
	if err != nil {
		return Applied{Text: text}, err
	}
	out, both, err := p.run(ctx, at, "output", "-json", "-no-color")
	if err != nil {
		return Applied{Text: text + both}, err
	}
	var outputs map[string]any
	if err := json.Unmarshal([]byte(out), &outputs); err != nil {
		return Applied{Text: text}, errors.Join(fmt.Errorf("%s prints outputs that are no JSON", p.Name()), err)
	}
	return Applied{text, outputs}, nil
}
