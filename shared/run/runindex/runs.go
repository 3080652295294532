package runindex

import (
	"context"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runquery"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// limits are the most that one page does. A page that has done so much ends early.
type limits struct {
	rows      int // rows of the index that are looked at
	runs      int // runs that are read
	dirspaces int // dirspaces that are looked at, where those are listed
	bytes     int // of the dirspaces that a page of runs shows, as JSON
}

var usual = limits{rows: 1000, runs: 300, dirspaces: 20_000, bytes: 4 << 20}

// Request asks for a page of a list.
type Request[P any] struct {
	// Query says what is wanted: runquery.Runs or runquery.Dirspaces compiles it.
	Query runquery.Query
	// Limit is the largest number of rows of the page, at least 1.
	Limit int
	// Descending lists the newest first.
	Descending bool
	// From is the place at which the page begins, not included. Nil begins at the
	// beginning, or with Backward at the end.
	From *P
	// Backward reads what stands before From, the nearest first.
	Backward bool
}

// down reports whether the page reads from newer to older runs.
func (q Request[P]) down() bool { return q.Descending != q.Backward }

// Page is a page of a list.
type Page[T, P any] struct {
	// Rows are in the direction of the request: the row nearest to From is the first
	// one.
	Rows []T
	// On is the place from which to go on in that direction; nil at the end of the
	// list. It lies behind all rows that were looked at, or at the last row of a full
	// page.
	On *P
}

// Place is the place of a run in a list. Runs stand by the second of their creation,
// then by id.
type Place struct {
	Second int64
	ID     run.ID
}

// PlaceOf returns the place of a run.
func PlaceOf(r run.Run) Place { return Place{r.CreatedAt.Unix(), r.ID} }

func (p Place) sort() string { return sortKey(time.Unix(p.Second, 0), p.ID) }

// List returns a page of the runs of an installation, with their dirspaces.
func (x Index) List(ctx context.Context, in vcs.Installation, q Request[Place]) (Page[Run, Place], error) {
	rows, err := x.startList(ctx, in, q)
	if err != nil {
		return Page[Run, Place]{}, err
	}
	return x.walk(ctx, q, rows)
}

// walk makes a page from rows.
func (x Index) walk(ctx context.Context, q Request[Place], rows *merged) (Page[Run, Place], error) {
	p := runPage{index: x, request: q, rows: rows}
	for !p.ended {
		if err := p.step(ctx); err != nil {
			return Page[Run, Place]{}, err
		}
	}
	return p.cut(ctx)
}

func (x Index) startList(ctx context.Context, in vcs.Installation, q Request[Place]) (*merged, error) {
	first, last := span(q.Query)
	return x.start(ctx, in, plan(q.Query), places(q, first, last), q.Limit+2) // that of From, and one beyond the page
}

// places returns the interval of a page: some seconds, both included, from From on.
// From itself is included.
func places(q Request[Place], first, last int64) interval {
	i := seconds(first, last, q.down())
	if q.From != nil && q.down() {
		i.high = min(i.high, q.From.sort())
	} else if q.From != nil {
		i.low = max(i.low, q.From.sort())
	}
	return i
}

// runPage is a page of runs that is being made.
type runPage struct {
	index   Index
	request Request[Place]
	rows    *merged
	found   []Run
	read    int    // runs
	at      *Place // the last row that was looked at
	ended   bool   // no more rows are looked at
	more    bool   // because of a limit
}

// step looks at some more rows.
func (p *runPage) step(ctx context.Context) error {
	want := min(max(p.request.Limit+1-len(p.found), minRead), table.MaxBatch, p.index.limits.runs-p.read)
	var rows []entry
	for len(rows) < want {
		if p.rows.taken >= p.index.limits.rows {
			p.ended, p.more = true, true
			break
		}
		e, err := p.rows.next(ctx)
		if err != nil {
			return err
		}
		if e == nil {
			p.ended = true
			break
		}
		if p.request.From != nil && e.sort() == p.request.From.sort() {
			p.rows.taken-- // each page looks at one new row at least
			continue
		}
		if p.request.Query.Judge(e) == runquery.Never {
			p.at = &Place{e.second, e.id}
			continue
		}
		rows = append(rows, *e)
	}
	if p.read += len(rows); p.read >= p.index.limits.runs && !p.ended {
		p.ended, p.more = true, true
	}
	return p.add(ctx, rows)
}

// behind reports whether a place comes after another one.
func behind(place, from string, down bool) bool {
	if down {
		return place < from
	}
	return place > from
}

// add adds those of the runs that match.
func (p *runPage) add(ctx context.Context, rows []entry) error {
	runs, err := p.index.load(ctx, rows)
	if err != nil {
		return err
	}
	var last *Place
	for _, e := range rows {
		last = &Place{e.second, e.id}
		r := runs[e.id]
		if r == nil {
			continue
		}
		row := runRow{e, r}
		verdict := p.request.Query.Judge(&row)
		if verdict == runquery.Perhaps {
			if err := p.index.complete(ctx, r); err != nil {
				return err
			}
			verdict = p.request.Query.Judge(&row)
		}
		if verdict == runquery.Never {
			continue
		}
		if p.found = append(p.found, *r); len(p.found) > p.request.Limit {
			p.ended = true
			return nil
		}
	}
	// Rows that did not match may stand behind the last one that was read.
	if last != nil && (p.at == nil || behind(last.sort(), p.at.sort(), p.request.down())) {
		p.at = last
	}
	return nil
}

// cut returns the page. It reads the dirspaces that are in chunks, and ends the page
// before no response could carry them.
func (p *runPage) cut(ctx context.Context) (Page[Run, Place], error) {
	page := Page[Run, Place]{Rows: p.found}
	if p.more {
		page.On = p.at
	}
	size := 0
	for i := range p.found {
		r := &p.found[i]
		if i == p.request.Limit {
			return p.until(i), nil
		}
		if err := p.index.complete(ctx, r); err != nil {
			return page, err
		}
		if size += r.fit(p.index.limits.bytes); size > p.index.limits.bytes && i > 0 {
			return p.until(i), nil
		}
	}
	return page, nil
}

// until returns the page with the first n runs.
func (p *runPage) until(n int) Page[Run, Place] {
	at := PlaceOf(p.found[n-1].Run)
	return Page[Run, Place]{Rows: p.found[:n], On: &at}
}

// dirspaceBytes is the largest size of a dirspace in JSON besides its texts. It is that
// of a completed plan: 79 bytes, a comma, and a backslash for each of the 14 quotes,
// because the response of a function holds the body as a JSON string.
const dirspaceBytes = 96

// fit leaves out dirspaces that do not fit into a size, and returns the size of the
// others.
func (r *Run) fit(most int) int {
	size := 0
	for i, d := range r.Dirspaces {
		size += encoded(d.Dir) + encoded(d.Workspace) + dirspaceBytes
		if size > most {
			r.Omitted, r.Dirspaces = len(r.Dirspaces)-i, r.Dirspaces[:i]
			return most
		}
	}
	return size
}

// encoded returns the size of a text without control characters, as JSON in a JSON
// string. There, a quote or a backslash has four bytes, and a separator of lines or
// paragraphs has seven.
func encoded(text string) int {
	size := len(text)
	for _, c := range text {
		switch c {
		case '"', '\\':
			size += 3
		case '\u2028', '\u2029':
			size += 4
		}
	}
	return size
}

// Fit leaves out dirspaces that no response could carry.
func (r *Run) Fit() { r.fit(usual.bytes) }
