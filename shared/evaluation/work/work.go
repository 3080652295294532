// Package work says what a run of an evaluation is, and what its runner does. It does no
// I/O. Its invariants:
//
//   - A runner works with the configuration from which its run was decided, whatever was
//     pushed since.
//   - A dirspace has the workflow, the stack and the variables that it had in the decision.
package work

import (
	"fmt"

	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/manifest"
	"github.com/opsplane/opsplane/shared/run/starting"
)

// Order returns the order of a run that was decided: its Spec with what the batch says,
// the configuration that decided, and what is told of each dirspace. It has no rules and
// no idempotency key yet. An error says that no such run is possible.
func Order(s run.Spec, b rules.Batch, c *repoconfig.Config) (starting.Order, error) {
	config, err := c.ForRunner()
	if err != nil {
		return starting.Order{}, err
	}
	s.Environment, s.RunsOn, s.DirspaceCount = b.Environment, b.RunsOn, len(b.Members)
	o := starting.Order{Config: config}
	for _, m := range b.Members {
		s.Dirspaces = append(s.Dirspaces, m.Dirspace.Dirspace)
		o.Dirspaces = append(o.Dirspaces, instruction(m.Dirspace))
	}
	if err := s.Validate(); err != nil {
		return starting.Order{}, fmt.Errorf("order a run: %w", err)
	}
	o.Spec = s
	return o, nil
}

// instruction returns what a runner is told of a dirspace (runner protocol, 6.1).
func instruction(d *matching.Dirspace) manifest.Dirspace {
	made := manifest.Dirspace{Dirspace: d.Dirspace, Stack: d.Stack, Variables: d.Variables}
	if d.Workflow != matching.NoWorkflow {
		made.Workflow = new(d.Workflow)
	}
	return made
}
