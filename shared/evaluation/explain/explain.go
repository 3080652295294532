// Package explain says why each directory of a repository is planned for a change, or is
// not. The package is pure.
package explain

import (
	"fmt"
	"strings"

	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
)

// Reason says why a dirspace is planned for a change, or is not.
type Reason struct {
	*matching.Dirspace
	// Planned says that the dirspace is in the change set. Layer counts from 1.
	Planned bool
	Layer   int
	// Why is a sentence for people, without a point at its end. At is the line of the
	// configuration that decided, or the zero Position for a default.
	Why string
	At  repoconfig.Position
}

// All returns the reasons for all dirspaces of a repository, in their order.
func All(r *matching.Repository, set *matching.ChangeSet) []Reason {
	members := map[run.Dirspace]*matching.Member{}
	for _, m := range set.Members {
		members[m.Dirspace.Dirspace] = m
	}
	made := make([]Reason, len(r.Dirspaces))
	for i, d := range r.Dirspaces {
		if m := members[d.Dirspace]; m != nil {
			made[i] = planned(m)
		} else {
			made[i] = notPlanned(d)
		}
	}
	return made
}

func planned(m *matching.Member) Reason {
	r := Reason{Dirspace: m.Dirspace, Planned: true, Layer: m.Layer + 1}
	switch m.Cause {
	case matching.Direct:
		r.Why, r.At = fmt.Sprintf("%s changed, and the pattern %s matches it", m.File, m.Pattern), m.Patterns.At
	case matching.AppliedBefore:
		r.Why = "this pull request applied it before, at another commit"
	case matching.Dependency:
		r.Why, r.At = fmt.Sprintf("its depends_on matches %s, which is planned", m.By), m.DependsOn.At
	case matching.ModifiedBy:
		r.Why = fmt.Sprintf("the stack %s is modified by the stack of %s, which is planned", m.Stack, m.By)
	}
	return r
}

func notPlanned(d *matching.Dirspace) Reason {
	r := Reason{Dirspace: d, At: d.Patterns.At}
	if len(d.Patterns.Wanted) == 0 {
		r.Why = "it has no patterns of files, so no change plans it"
		return r
	}
	r.Why = "no changed file matches " + strings.Join(d.Patterns.Wanted, ", ")
	if len(d.Patterns.Excluded) > 0 {
		r.Why += " without " + strings.Join(d.Patterns.Excluded, ", ")
	}
	return r
}
