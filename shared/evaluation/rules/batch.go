package rules

import (
	"cmp"
	"slices"

	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/run"
)

// Batch is the work of one run.
type Batch struct {
	Environment, RunsOn string
	Members             []*matching.Member
}

// Batches splits members into runs (orchestration, 9): a run has one environment and one
// choice of machines, at most one workspace of a directory, and at most most members; 0
// means as many as a run can have. The same members always give the same runs.
func Batches(list []*matching.Member, most int) []Batch {
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b *matching.Member) int {
		return cmp.Or(cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.RunsOn, b.RunsOn), a.Compare(b.Dirspace.Dirspace))
	})
	var made []Batch
	// first is the place of the first batch of the group. nth counts how many workspaces
	// of the directory the group has so far: the nth one goes into the nth batch.
	first, nth := 0, map[string]int{}
	for i, m := range sorted {
		if i == 0 || m.Environment != sorted[i-1].Environment || m.RunsOn != sorted[i-1].RunsOn {
			first, nth = len(made), map[string]int{}
		}
		at := first + nth[m.Dir]
		nth[m.Dir]++
		if at == len(made) {
			made = append(made, Batch{Environment: m.Environment, RunsOn: m.RunsOn})
		}
		made[at].Members = append(made[at].Members, m)
	}
	if most <= 0 || most > run.MaxDirspaces {
		most = run.MaxDirspaces
	}
	var cut []Batch
	for _, b := range made {
		for chunk := range slices.Chunk(b.Members, most) {
			cut = append(cut, Batch{b.Environment, b.RunsOn, chunk})
		}
	}
	return cut
}
