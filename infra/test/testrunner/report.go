package testrunner

import (
	"cmp"
	"slices"
	"strings"
)

// report is the result of a run in version 2 (runner protocol, 12.1).
type report struct {
	Steps []outcome `json:"steps"`
}

// outcome is what happened in a step.
type outcome struct {
	Step         string         `json:"step"`
	Success      bool           `json:"success"`
	IgnoreErrors bool           `json:"ignore_errors"`
	Scope        scope          `json:"scope"`
	Payload      map[string]any `json:"payload"`
}

// scope says what a step belongs to: a dirspace, or the hooks of the run.
type scope struct {
	Type      string `json:"type"`
	Dir       string `json:"dir,omitempty"`
	Workspace string `json:"workspace,omitempty"`
	Flow      string `json:"flow,omitempty"`
	Subflow   string `json:"subflow,omitempty"`
}

// add adds what happened in a step, and reports whether the next one may run.
func (r *report) add(o outcome) bool {
	if o.Payload == nil {
		o.Payload = map[string]any{}
	}
	r.Steps = append(r.Steps, o)
	return o.Success || o.IgnoreErrors
}

// masked returns the report with *** in place of secrets. The names of steps, directories
// and workspaces stay.
func (r report) masked(secrets []string) report {
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	var pairs []string
	for _, s := range secrets {
		if s != "" {
			pairs = append(pairs, s, "***")
		}
	}
	mask := strings.NewReplacer(pairs...)
	steps := make([]outcome, len(r.Steps))
	for i, o := range r.Steps {
		steps[i], steps[i].Payload = o, maskAll(o.Payload, mask).(map[string]any)
	}
	return report{steps}
}

func maskAll(value any, mask *strings.Replacer) any {
	switch v := value.(type) {
	case string:
		return mask.Replace(v)
	case []string:
		masked := make([]string, len(v))
		for i, each := range v {
			masked[i] = mask.Replace(each)
		}
		return masked
	case []any:
		masked := make([]any, len(v))
		for i, each := range v {
			masked[i] = maskAll(each, mask)
		}
		return masked
	case map[string]any:
		masked := make(map[string]any, len(v))
		for name, each := range v {
			masked[name] = maskAll(each, mask)
		}
		return masked
	default:
		return v
	}
}

// secrets are all texts that the runner masks.
func (s *session) secrets() []string {
	return append(slices.Clone(s.Secrets), s.work.Token, s.githubToken)
}
