package standing

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runquery"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Limits of one page. A page that reaches one ends early, with a place from which to go
// on.
const (
	maxRows  = 1000    // rows that are looked at
	maxBytes = 3 << 20 // of the outputs, as they are sent
	minRead  = 25      // rows that a query reads at least
	maxRead  = 400     // rows that a query reads at most
	growth   = 4       // how many times more rows each further query reads
)

// Runs is what lists need of the store of runs. runstore.Store documents the methods.
type Runs interface {
	Unlocks(context.Context, []run.Run) (map[run.ID]time.Time, error)
	Active(context.Context, vcs.Repository) ([]runstore.Active, error)
	Dirspaces(context.Context, run.ID) ([]run.Dirspace, error)
}

// Lists lists what stands where.
type Lists struct {
	Store
	Runs Runs

	rows int // looked at in one page; 0 means maxRows
}

// Shown is a row as lists show it.
type Shown struct {
	Row
	// Outputs are those of the newest apply that succeeded or that sent some; nil if
	// there is none.
	Outputs *Outputs
	// Holder is the apply that keeps others away from the dirspace now, because it runs
	// or is being started; nil if there is none.
	Holder *runstore.Active
}

// List returns a page of the workspaces of an installation that match a query, which
// runquery.Workspaces compiles. The order is that of Place. Unlocks count from the
// moment at which they are stored, and results from the moment at which they are
// recorded.
func (l Lists) List(ctx context.Context, in vcs.Installation, q runindex.Request[Place]) (runindex.Page[Shown, Place], error) {
	p := page{lists: l, in: in, request: q}
	parts, err := l.intervals(ctx, in, q.Query)
	if err != nil {
		return runindex.Page[Shown, Place]{}, err
	}
	if p.down() {
		slices.Reverse(parts)
	}
	for _, part := range parts {
		if err := p.walk(ctx, part); err != nil {
			return runindex.Page[Shown, Place]{}, err
		}
		if p.ended {
			break
		}
	}
	return p.show(ctx)
}

// page is a page that is being made.
type page struct {
	lists   Lists
	in      vcs.Installation
	request runindex.Request[Place]
	found   []Row
	looked  int    // rows
	at      *Place // the last row that was looked at, if a limit has ended the page
	ended   bool
}

// down reports whether the page reads in the descending order of places.
func (p *page) down() bool { return p.request.Descending != p.request.Backward }

// walk looks at the rows of an interval, up to the end of the page.
func (p *page) walk(ctx context.Context, part interval) error {
	from := ""
	if p.request.From != nil {
		from = p.request.From.sort()
		if p.down() {
			part.high = min(part.high, from)
		} else {
			part.low = max(part.low, from)
		}
	}
	query := table.Query{
		Key:      []table.Condition{table.Equal("pk", rowsOf(p.in)), table.Between("sk", attr.String(part.low), attr.String(part.high))},
		Backward: p.down(), Limit: min(max(p.request.Limit+2, minRead), maxRead), // that of from, and one beyond the page
	}
	for part.low <= part.high {
		found, err := p.lists.Table.Query(ctx, query)
		if err != nil {
			return fmt.Errorf("list what stands where: %w", err)
		}
		if err := p.look(ctx, found.Items, from); err != nil || p.ended || found.Next == nil {
			return err
		}
		query.After, query.Limit = found.Next, min(query.Limit*growth, maxRead)
	}
	return nil
}

// look adds those of some rows that match.
func (p *page) look(ctx context.Context, items []attr.Item, from string) error {
	var candidates []Row
	for _, item := range items {
		sort := attr.Read(item).String("sk")
		if sort == from {
			continue
		}
		place, err := parsePlace(sort)
		if err != nil {
			return err
		}
		row, err := decodeRow(p.in, place, item)
		if err != nil {
			return err
		}
		if row.Newest() != nil && p.request.Query.Judge(queried{Row: &row}) != runquery.Never {
			candidates = append(candidates, row)
		}
		if p.looked++; p.looked == cmp.Or(p.lists.rows, maxRows) {
			p.at = &place
			break
		}
	}
	for part := range slices.Chunk(candidates, table.MaxBatch) {
		if len(p.found) > p.request.Limit {
			break
		}
		if err := p.add(ctx, part); err != nil {
			return err
		}
	}
	p.ended = p.at != nil || len(p.found) > p.request.Limit
	return nil
}

// add adds those of some rows that match with the unlocks of their plans.
func (p *page) add(ctx context.Context, rows []Row) error {
	var planned []run.Run
	for i := range rows {
		for _, plan := range rows[i].plans() {
			planned = append(planned, run.Run{
				Spec: run.Spec{ID: plan.Run, Repository: rows[i].Repository, Kind: plan.Kind, Source: plan.Source}, Seq: plan.Seq,
			})
		}
	}
	void, err := p.lists.Runs.Unlocks(ctx, planned)
	if err != nil {
		return err
	}
	for i := range rows {
		for _, plan := range rows[i].plans() {
			_, plan.Void = void[plan.Run]
		}
		if p.request.Query.Match(queried{&rows[i], true}) {
			p.found = append(p.found, rows[i])
		}
	}
	return nil
}

// plans returns the plans of a row that count unless an unlock has made them void.
func (r Row) plans() []*Result {
	var list []*Result
	for _, plan := range []*Result{r.Plan, r.Good, r.Drift} {
		if plan.after(r.Apply) {
			list = append(list, plan)
		}
	}
	return list
}

// show returns the page, with what is known besides about its rows. It ends the page
// before no response could carry it.
func (p *page) show(ctx context.Context) (runindex.Page[Shown, Place], error) {
	shown := runindex.Page[Shown, Place]{On: p.at}
	if limit := p.request.Limit; len(p.found) > limit {
		p.found = p.found[:limit]
		shown.On = new(PlaceOf(p.found[limit-1]))
	}
	outputs, err := p.outputs(ctx)
	if err != nil {
		return shown, err
	}
	holders, err := p.lists.holders(ctx, p.found)
	if err != nil {
		return shown, err
	}
	size := 0
	for i, row := range p.found {
		one := Shown{Row: row, Holder: holders[PlaceOf(row)]}
		if list, ok := outputs[PlaceOf(row)]; ok {
			one.Outputs = &list
			size += list.size()
		}
		if size > maxBytes && i > 0 {
			shown.On = new(PlaceOf(p.found[i-1]))
			break
		}
		shown.Rows = append(shown.Rows, one)
	}
	return shown, nil
}

// outputs reads the outputs of the rows that have an apply.
func (p *page) outputs(ctx context.Context) (map[Place]Outputs, error) {
	var places []Place
	for _, row := range p.found {
		if row.Apply != nil {
			places = append(places, PlaceOf(row))
		}
	}
	return p.lists.outputs(ctx, p.in, places)
}
