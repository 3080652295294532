package runindex

import (
	"context"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Drifts returns a page of the runs of some installations that look for drift. It reads
// one partition for each installation, one after the other.
func (x Index) Drifts(ctx context.Context, of []vcs.Installation, q Request[Place]) (Page[Run, Place], error) {
	i := places(q, 0, maxSecond)
	rows := &merged{backward: i.backward}
	w := walk{kind, string(run.Drift)}
	for _, in := range of {
		rows.sources = append(rows.sources, x.open(w.partition(in), w, i, q.Limit+2))
	}
	return x.walk(ctx, q, rows)
}
