package evaluator

import (
	"slices"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/changeset"
)

// setOf returns the change set of a pull request in the form in which it is stored: all
// dirspaces of the repository by their stacks, with the layers of those that change.
func setOf(s *scene) changeset.Set {
	made := changeset.Set{Repository: s.of, Number: s.number, Base: s.pr.BaseSHA, Head: s.pr.SHA}
	if at := s.working().Commit; at != s.pr.SHA {
		made.Merged = at
	}
	layers := map[run.Dirspace]int{}
	for _, m := range s.loaded.Set.Members {
		layers[m.Dirspace.Dirspace] = m.Layer + 1
	}
	places := map[string]int{}
	for _, d := range s.loaded.Tree.Dirspaces {
		i, known := places[d.Stack]
		if !known {
			i = len(made.Stacks)
			places[d.Stack] = i
			made.Stacks = append(made.Stacks, changeset.Stack{Name: d.Stack, Paths: s.loaded.Tree.Paths(d.Stack), PlanAfter: s.loaded.Tree.PlanAfter(d), ApplyAfter: s.loaded.Tree.ApplyAfter(d)})
		}
		made.Stacks[i].Members = append(made.Stacks[i].Members, changeset.Member{Dirspace: d.Dirspace, Layer: layers[d.Dirspace]})
	}
	unknown := func(name string) bool {
		_, is := places[name]
		return !is
	}
	for i := range made.Stacks {
		made.Stacks[i].PlanAfter = slices.DeleteFunc(made.Stacks[i].PlanAfter, unknown)
		made.Stacks[i].ApplyAfter = slices.DeleteFunc(made.Stacks[i].ApplyAfter, unknown)
	}
	return made
}
