package source

import (
	"context"

	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/run/result"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Passed reports whether a gate is passed by approvals. A gate that names nobody cannot be
// passed.
func Passed(ctx context.Context, host Opinions, r vcs.Description, g result.Gate, given []vcshost.Profile) (bool, error) {
	known := &people{host: host, of: r, made: rules.People{}, left: maxQuestions}
	by := func(list []string) (int, error) {
		n := 0
		for _, who := range given {
			if err := known.find(ctx, who, list); err != nil {
				return 0, err
			}
			if known.in(who, list) {
				n++
			}
		}
		return n, nil
	}
	for _, entry := range g.AllOf {
		if n, err := by([]string{entry}); err != nil || n == 0 {
			return false, err
		}
	}
	if g.AnyOfCount > 0 || len(g.AnyOf) > 0 {
		n, err := by(g.AnyOf)
		return n >= max(1, g.AnyOfCount), err
	}
	return len(g.AllOf) > 0, nil
}
