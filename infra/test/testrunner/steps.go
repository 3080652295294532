package testrunner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// hooks runs the steps before or after the dirspaces, and reports whether all succeeded.
func (s *session) hooks(ctx context.Context, subflow string, steps []step, succeeded bool) bool {
	of := scope{Type: "run", Flow: "hooks", Subflow: subflow}
	if subflow == "pre" {
		if s.Fault == FailHook {
			return s.report.add(outcome{Step: "run", Scope: of, Payload: map[string]any{"text": "this hook fails", "visible_on": "always"}})
		}
		succeeded = s.authenticate(ctx, of)
	}
	return s.run(ctx, of, place{dir: s.Checkout}, steps, succeeded)
}

// authenticate is the runner's own first step: a token of GitHub.
func (s *session) authenticate(ctx context.Context, of scope) bool {
	if s.GitLab {
		return true
	}
	err := s.refreshToken(ctx)
	o := outcome{Step: "auth/update-terrateam-github-token", Success: err == nil, Scope: of, Payload: map[string]any{"visible_on": "error"}}
	if err != nil {
		o.Payload["text"] = err.Error()
	}
	return s.report.add(o)
}

// dirspace runs the steps of a dirspace, and reports whether all succeeded.
func (s *session) dirspace(ctx context.Context, d dirspace) bool {
	s.say("%s of %s (%s)", s.work.Type, d.Path, d.Workspace)
	of := scope{Type: "dirspace", Dir: d.Path, Workspace: d.Workspace}
	at := place{dirspace: d, dir: filepath.Join(s.Checkout, d.Path), plan: s.planFile(d)}
	if s.States != "" {
		at.state = filepath.Join(s.States, d.Path)
	}
	ok := s.run(ctx, of, at, s.work.steps(d), s.authenticate(ctx, of))
	if s.Fault == ReportForeign {
		s.report.add(outcome{Step: "tf/plan", Success: true, Scope: scope{Type: "dirspace", Dir: "not/mine", Workspace: "default"}})
	}
	return ok
}

// planFile returns the file of a dirspace's plan.
func (s *session) planFile(d dirspace) string {
	return filepath.Join(s.tmp, strings.ReplaceAll(d.Path, "/", "%2F")+"@"+d.Workspace+".plan")
}

// place is where a step works.
type place struct {
	dirspace
	dir   string // the folder
	plan  string // the file of the plan
	state string // the folder of the state; empty: the backend of the repository
	env   []string
	extra []string // arguments for the engine
}

// run runs steps one after the other.
func (s *session) run(ctx context.Context, of scope, at place, steps []step, succeeded bool) bool {
	for _, st := range steps {
		if ctx.Err() != nil {
			return false
		}
		if !st.runs(succeeded) {
			continue
		}
		at.env, at.extra = s.environment(at, st), st.ExtraArgs
		name, payload, err := s.perform(ctx, at, st)
		if err != nil && !failed(err) && payload["text"] == nil {
			payload["text"] = err.Error()
		}
		s.say("  %s: %s", name, word(err))
		o := outcome{Step: name, Success: err == nil, IgnoreErrors: st.IgnoreErrors, Scope: of, Payload: payload}
		succeeded = s.report.add(o) && succeeded
	}
	return succeeded
}

// failed reports whether the error is that of a program that ran and failed.
func failed(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit)
}

func word(err error) string {
	if err == nil {
		return "success"
	}
	return "failure: " + err.Error()
}

// environment returns the variables of a step (runner protocol, 8.2).
func (s *session) environment(at place, st step) []string {
	env := append(append(os.Environ(), s.Env...),
		"TF_IN_AUTOMATION=true", "TF_INPUT=false", "TERRATEAM_ROOT="+s.Checkout, "TERRATEAM_RUN_KIND="+s.work.RunKind,
		"TERRATEAM_BASE_REF="+s.work.BaseRef, "TERRATEAM_TMPDIR="+s.tmp, "TERRATEAM_ENGINE_NAME="+s.Engine.Name())
	if !s.GitLab {
		env = append(env, "TERRATEAM_GITHUB_TOKEN="+s.githubToken)
	}
	if at.Path != "" {
		env = append(env, "TERRATEAM_DIR="+at.Path, "TERRATEAM_WORKSPACE="+at.Workspace, "TERRATEAM_STACK="+at.Stack, "TERRATEAM_PLAN_FILE="+at.plan)
	}
	for name, value := range at.Variables {
		env = append(env, name+"="+value)
	}
	env = append(env, s.env...)
	for name, value := range st.Env {
		env = append(env, name+"="+expand(value, env))
	}
	return env
}

// expand replaces ${NAME} with the last value of the variable.
func expand(text string, env []string) string {
	return os.Expand(text, func(name string) string {
		value := ""
		for _, each := range env {
			if found, ok := strings.CutPrefix(each, name+"="); ok {
				value = found
			}
		}
		return value
	})
}

// perform does one step. The payload is never nil.
func (s *session) perform(ctx context.Context, at place, st step) (name string, payload map[string]any, err error) {
	switch st.Type {
	case "init":
		text, err := s.Engine.Init(ctx, at)
		return "tf/init", map[string]any{"text": text, "visible_on": "error"}, err
	case plan:
		payload, err := s.plan(ctx, at)
		return "tf/plan", payload, err
	case apply:
		payload, err := s.apply(ctx, at)
		return "tf/apply", payload, err
	case "run":
		payload, err := s.command(ctx, at, st)
		return "run", payload, err
	case "env":
		payload, err := s.setEnv(ctx, at, st)
		return "env", payload, err
	}
	return st.Type, map[string]any{}, fmt.Errorf("this runner has no step %q", st.Type)
}

// plan makes a plan, and stores it.
func (s *session) plan(ctx context.Context, at place) (map[string]any, error) {
	made, err := s.Engine.Plan(ctx, at)
	payload := map[string]any{"text": made.Text, "visible_on": "always"}
	if err != nil {
		return payload, err
	}
	payload["plan"], payload["has_changes"] = diff(made.Text), made.HasChanges
	data, err := s.wrapPlan(ctx, at)
	if err == nil {
		err = s.putPlan(ctx, at.dirspace, data, made.HasChanges)
	}
	if err != nil {
		return map[string]any{"text": err.Error(), "visible_on": "always"}, err
	}
	return payload, nil
}

// diff returns the text of a plan with the signs of changes in the first column.
func diff(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		rest := strings.TrimLeft(line, " ")
		if rest != "" && strings.ContainsRune("+-~", rune(rest[0])) {
			sign := rest[:1]
			if sign == "~" {
				sign = "!"
			}
			line = sign + line[:len(line)-len(rest)] + rest[1:]
		}
		b.WriteString(line)
	}
	return b.String()
}

// apply applies the plan of the server.
func (s *session) apply(ctx context.Context, at place) (map[string]any, error) {
	if err := s.unwrapPlan(ctx, at); err != nil {
		return map[string]any{"text": "the plan could not be loaded: " + err.Error(), "visible_on": "always"}, err
	}
	made, err := s.Engine.Apply(ctx, at)
	payload := map[string]any{"text": made.Text, "visible_on": "always"}
	if err == nil && len(made.Outputs) > 0 {
		payload["outputs"] = made.Outputs
	}
	return payload, err
}
