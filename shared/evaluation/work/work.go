// Package work turns the runs of a decision into what is stored of a run and what its
// runner does. It does no I/O. Its invariants:
//
//   - A runner works with the configuration from which its run was decided, whatever was
//     pushed since.
//   - A dirspace has the workflow, the stack and the variables that it had in the decision.
package work

import (
	"fmt"
	"strings"

	"github.com/opsplane/opsplane/shared/evaluation/decide"
	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/command"
	"github.com/opsplane/opsplane/shared/run/manifest"
	"github.com/opsplane/opsplane/shared/run/starting"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Origin is where the runs of a decision come from.
type Origin struct {
	Repository vcs.Repository
	Described  vcs.Description
	Place      command.Place
	// Config is the configuration from which the runs were decided.
	Config *repoconfig.Config
	// TagQuery is that of the command. It may be empty.
	TagQuery string
	// User is the name of whoever caused the event, as runs show it. It is empty for drift.
	// Principal is who made the runs, as in the audit trail.
	User, Principal string
}

// Orders returns an order for each run of a decision, in their order, each with a new id.
// The orders have no rules and no idempotency key yet. They share the text of the
// configuration.
func Orders(from Origin, list []decide.NewRun) ([]starting.Order, error) {
	config, err := from.Config.ForRunner()
	if err != nil {
		return nil, err
	}
	made := make([]starting.Order, len(list))
	for i, each := range list {
		o := starting.Order{Config: config, Spec: run.Spec{
			ID: run.NewID(), Repository: from.Repository, Owner: from.Described.Owner, Name: from.Described.Name, Type: each.Type,
			Kind: from.Place.Kind, Base: from.Place.Base, Source: from.Place.Source, Environment: each.Batch.Environment, RunsOn: each.Batch.RunsOn,
			TagQuery: cut(from.TagQuery, run.MaxTagQuery), User: cut(from.User, run.MaxText), Principal: from.Principal, DirspaceCount: len(each.Batch.Members),
		}}
		for _, m := range each.Batch.Members {
			o.Spec.Dirspaces = append(o.Spec.Dirspaces, m.Dirspace.Dirspace)
			o.Dirspaces = append(o.Dirspaces, instruction(m.Dirspace))
		}
		if err := o.Spec.Validate(); err != nil {
			return nil, fmt.Errorf("order run %d of %d: %w", i+1, len(list), err)
		}
		made[i] = o
	}
	return made, nil
}

// instruction returns what a runner is told of a dirspace (runner protocol, 6.1).
func instruction(d *matching.Dirspace) manifest.Dirspace {
	made := manifest.Dirspace{Dirspace: d.Dirspace, Stack: d.Stack, Variables: d.Variables}
	if d.Workflow != matching.NoWorkflow {
		made.Workflow = new(d.Workflow)
	}
	return made
}

// cut returns the beginning of a text that is only shown.
func cut(text string, most int) string {
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}
