package runindex

import (
	"cmp"
	"context"
	"slices"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runquery"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Dirspace is a dirspace of a run as lists show it.
type Dirspace struct {
	// Run is the run. Its own list of dirspaces may be missing.
	Run *Run
	run.Dirspace
	// Position is that of the dirspace among those of its run.
	Position int
}

// State returns the state that the API shows.
func (d Dirspace) State() string { return d.Run.StateOf(d.Position) }

// Spot is the place of a dirspace in a list. Dirspaces stand by the second in which
// their run was created, then by directory, workspace and id of the run. A Spot
// without the last three stands before all dirspaces of its second.
type Spot struct {
	Second int64
	run.Dirspace
	ID run.ID
}

// SpotOf returns the place of a dirspace.
func SpotOf(d Dirspace) Spot { return Spot{d.Run.CreatedAt.Unix(), d.Dirspace, d.Run.ID} }

func (s Spot) compare(other Spot) int {
	return cmp.Or(cmp.Compare(s.Second, other.Second), s.Dirspace.Compare(other.Dirspace), cmp.Compare(s.ID, other.ID))
}

// Dirspaces returns a page of the dirspaces of the runs of an installation.
func (x Index) Dirspaces(ctx context.Context, in vcs.Installation, q Request[Spot]) (Page[Dirspace, Spot], error) {
	first, last := span(q.Query)
	if q.From != nil && q.down() {
		last = min(last, q.From.Second)
		if q.From.Dir == "" {
			last = min(last, q.From.Second-1)
		}
	} else if q.From != nil {
		first = max(first, q.From.Second)
	}
	c := plan(q.Query)
	rows, err := x.start(ctx, in, c, seconds(first, last, q.down()), q.Limit+1)
	if err != nil {
		return Page[Dirspace, Spot]{}, err
	}
	p := spacePage{index: x, request: q, rows: rows, byDir: c.byDir()}
	for !p.ended {
		if err := p.step(ctx); err != nil {
			return Page[Dirspace, Spot]{}, err
		}
	}
	page := Page[Dirspace, Spot]{Rows: p.found}
	if len(p.found) > q.Limit {
		page.Rows = p.found[:q.Limit]
		p.on = new(SpotOf(page.Rows[q.Limit-1]))
	}
	page.On = p.on
	return page, nil
}

// spacePage is a page of dirspaces that is being made. The dirspaces of one second
// stand by their directory, so all runs of a second are looked at together.
type spacePage struct {
	index   Index
	request Request[Spot]
	rows    *merged
	byDir   bool
	next    *entry // taken from rows, and not looked at
	found   []Dirspace
	runs    int
	looked  int // dirspaces
	ended   bool
	on      *Spot // where to go on because of a limit
}

// step looks at all runs of some seconds.
func (p *spacePage) step(ctx context.Context) error {
	var rows []entry
	want := min(max(p.request.Limit+1-len(p.found), 1), minRead)
	var second int64
	for {
		if p.next == nil {
			var err error
			if p.next, err = p.rows.next(ctx); err != nil {
				return err
			}
		}
		if p.next == nil {
			p.ended = true
			break
		}
		full := len(rows) >= want || p.rows.taken >= p.index.limits.rows || p.runs+len(rows) >= p.index.limits.runs
		if full && p.next.second != second {
			break
		}
		second = p.next.second
		if p.request.Query.Judge(spaceEntry{p.next}) != runquery.Never {
			rows = append(rows, *p.next)
		}
		p.next = nil
	}
	p.runs += len(rows)
	if err := p.add(ctx, rows); err != nil || p.ended {
		return err
	}
	if p.rows.taken >= p.index.limits.rows || p.runs >= p.index.limits.runs {
		p.stopBehind(second)
	}
	return nil
}

// stopBehind ends the page, because of a limit, behind all dirspaces of a second.
func (p *spacePage) stopBehind(second int64) {
	p.ended, p.on = true, &Spot{Second: second}
	if !p.request.down() {
		p.on.Second++
	}
}

// add looks at the dirspaces of some runs, one second after the other, until the page
// is full. The runs of each second are all there.
func (p *spacePage) add(ctx context.Context, rows []entry) error {
	runs, err := p.index.load(ctx, rows)
	if err != nil {
		return err
	}
	for len(rows) > 0 {
		second := rows[0].second
		n := slices.IndexFunc(rows, func(e entry) bool { return e.second != second })
		if n < 0 {
			n = len(rows)
		}
		if err := p.addSecond(ctx, rows[:n], runs); err != nil {
			return err
		}
		rows = rows[n:]
		switch {
		case len(p.found) > p.request.Limit:
			p.ended = true
			return nil
		case p.looked >= p.index.limits.dirspaces && (len(rows) > 0 || !p.ended):
			p.stopBehind(second)
			return nil
		}
	}
	return nil
}

// addSecond adds those of the dirspaces of the runs of a second that match.
func (p *spacePage) addSecond(ctx context.Context, rows []entry, runs map[run.ID]*Run) error {
	var found []Dirspace
	for _, e := range rows {
		r := runs[e.id]
		if r == nil {
			continue
		}
		list, err := p.dirspaces(ctx, e, r)
		if err != nil {
			return err
		}
		p.looked += len(list)
		for _, d := range list {
			row := spaceRow{e, Dirspace{r, d.Dirspace, d.position}}
			if p.request.Query.Match(&row) && p.wanted(SpotOf(row.of)) {
				found = append(found, row.of)
			}
		}
	}
	slices.SortFunc(found, func(a, b Dirspace) int {
		if p.request.down() {
			a, b = b, a
		}
		return SpotOf(a).compare(SpotOf(b))
	})
	p.found = append(p.found, found...)
	return nil
}

// wanted reports whether a dirspace lies behind the place at which the page begins.
func (p *spacePage) wanted(s Spot) bool {
	if p.request.From == nil {
		return true
	}
	if p.request.down() {
		return s.compare(*p.request.From) < 0
	}
	return s.compare(*p.request.From) > 0
}

// dirspaces returns the dirspaces of a run that can match.
func (p *spacePage) dirspaces(ctx context.Context, e entry, r *Run) ([]placed, error) {
	if p.byDir {
		return e.spaces, nil
	}
	if p.request.Query.Judge(&spaceRow{e, Dirspace{Run: r, Position: -1}}) == runquery.Never {
		return nil, nil
	}
	if err := p.index.complete(ctx, r); err != nil {
		return nil, err
	}
	list := make([]placed, len(r.Dirspaces))
	for i, d := range r.Dirspaces {
		list[i] = placed{d, i}
	}
	return list, nil
}

// spaceEntry is what is known of each dirspace of a run before the run is read.
type spaceEntry struct{ *entry }

// Known implements runquery.PartialRow.
func (e spaceEntry) Known(key string) bool {
	if key == "workspace" {
		return len(e.workspaces) == 1
	}
	return e.entry.Known(key)
}

// spaceRow is a dirspace as a query of the list of dirspaces sees it. With the
// position -1 it is one of those of its run.
type spaceRow struct {
	entry
	of Dirspace
}

var _ runquery.PartialRow = &spaceRow{}

// Known implements runquery.PartialRow.
func (r *spaceRow) Known(key string) bool {
	switch key {
	case "dir", "workspace", "has_changes", "destroys":
		return r.of.Position >= 0
	case "state":
		return r.of.Position >= 0 || r.of.Run.Result == nil
	default:
		return true
	}
}

// Texts implements runquery.Row.
func (r *spaceRow) Texts(key string) []string {
	switch key {
	case "dir":
		return []string{r.of.Dir}
	case "workspace":
		return []string{r.of.Workspace}
	case "state":
		return []string{r.of.Run.StateOf(max(r.of.Position, 0))}
	default:
		return r.entry.Texts(key)
	}
}

// Number implements runquery.Row.
func (r *spaceRow) Number(key string) (int64, bool) {
	if key == "duration" {
		return r.of.Run.seconds()
	}
	return r.entry.Number(key)
}

// Flag implements runquery.Row.
func (r *spaceRow) Flag(key string) (value, ok bool) {
	o, _ := r.of.Run.Outcome(r.of.Position)
	if !r.of.Run.Type.IsPlan() || !o.Planned() {
		return false, false
	}
	return o.Has(flags[key]), true
}
