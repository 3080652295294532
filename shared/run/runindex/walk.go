package runindex

import (
	"context"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Limits of the queries of one page.
const (
	minRead = 25  // rows that the first query of a partition reads at least
	maxRead = 400 // rows that one query reads at most
	growth  = 4   // how many times more rows each further query reads
)

// interval is a part of a partition.
type interval struct {
	low, high string // sort keys, both included
	backward  bool   // in descending order
}

// seconds returns the interval of some seconds, both included.
func seconds(first, last int64, backward bool) interval {
	const behindEachID = "#~"
	return interval{attr.SortSeconds(time.Unix(first, 0)), attr.SortSeconds(time.Unix(last, 0)) + behindEachID, backward}
}

func (i interval) contains(sort string) bool { return i.low <= sort && sort <= i.high }

// source gives the rows of one partition, or of some runs, in order.
type source struct {
	table table.Table
	query table.Query
	walk  walk
	rows  []entry // read, and not taken yet
	done  bool    // nothing is left to read
}

// open returns the source of a partition. limit is the number of rows that are
// expected to be needed.
func (x Index) open(partition string, w walk, i interval, limit int) *source {
	return &source{
		table: x.table, walk: w, done: i.low > i.high,
		query: table.Query{
			Key:      []table.Condition{table.Equal("pk", attr.String(partition)), table.Between("sk", attr.String(i.low), attr.String(i.high))},
			Backward: i.backward, Limit: min(max(limit, minRead), maxRead),
		},
	}
}

// head returns the next row without taking it, or nil.
func (s *source) head(ctx context.Context) (*entry, error) {
	for len(s.rows) == 0 {
		if s.done {
			return nil, nil
		}
		page, err := s.table.Query(ctx, s.query)
		if err != nil {
			return nil, fmt.Errorf("walk %s: %w", s.walk.term, err)
		}
		for _, item := range page.Items {
			e, err := decode(item, s.walk)
			if err != nil {
				return nil, err
			}
			s.rows = append(s.rows, e)
		}
		s.query.After, s.query.Limit, s.done = page.Next, min(s.query.Limit*growth, maxRead), page.Next == nil
	}
	return &s.rows[0], nil
}

// take takes the next n rows, or all that are left.
func (s *source) take(ctx context.Context, n int) ([]entry, error) {
	var taken []entry
	for len(taken) < n {
		e, err := s.head(ctx)
		if err != nil {
			return nil, err
		}
		if e == nil {
			break
		}
		taken, s.rows = append(taken, *e), s.rows[1:]
	}
	return taken, nil
}

// merged gives the rows of several sources in order, each run once.
type merged struct {
	sources  []*source
	backward bool
	taken    int // rows that next has returned
}

// next returns the next row, or nil at the end.
func (m *merged) next(ctx context.Context) (*entry, error) {
	var heads []*entry
	var best string
	for _, s := range m.sources {
		e, err := s.head(ctx)
		if err != nil {
			return nil, err
		}
		heads = append(heads, e)
		if e == nil {
			continue
		}
		if place := e.sort(); best == "" || (place < best) != m.backward && place != best {
			best = place
		}
	}
	var found *entry
	for n, e := range heads {
		if e == nil || e.sort() != best {
			continue
		}
		if found == nil {
			row := *e
			found = &row
		} else {
			found.join(*e)
		}
		m.sources[n].rows = m.sources[n].rows[1:]
	}
	if found != nil {
		m.taken++
	}
	return found, nil
}

// start returns the merged rows of a cover.
func (x Index) start(ctx context.Context, in vcs.Installation, c cover, i interval, limit int) (*merged, error) {
	m := &merged{backward: i.backward}
	for _, w := range c.walks {
		m.sources = append(m.sources, x.open(w.partition(in), w, i, limit))
	}
	if len(c.ids) == 0 {
		return m, nil
	}
	runs, err := x.runs.Many(ctx, c.ids)
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		if e := entryOf(r); r.Repository.Installation == in && i.contains(e.sort()) {
			m.sources = append(m.sources, &source{rows: []entry{e}, done: true})
		}
	}
	return m, nil
}

// Runs is what the index needs of the store of runs.
type Runs interface {
	// Many reads the visible ones of at most table.MaxBatch runs, strongly
	// consistent, without dirspaces that are in chunks.
	Many(context.Context, []run.ID) (map[run.ID]run.Run, error)
	// Dirspaces reads the dirspaces of a run that are in chunks.
	Dirspaces(context.Context, run.ID) ([]run.Dirspace, error)
	// Unlocks returns when an unlock ended the runs that one has ended, of those that
	// are given.
	Unlocks(context.Context, []run.Run) (map[run.ID]time.Time, error)
}

// Index finds runs. It is safe for concurrent use.
type Index struct {
	table  table.Table
	runs   Runs
	limits limits
}

// New returns the index in RunsTable. runs reads what is found.
func New(t table.Table, runs Runs) Index { return Index{t, runs, usual} }
