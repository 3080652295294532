package runindex

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runquery"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// KeepChanges is how long a change of a run can be found.
const KeepChanges = 24 * time.Hour

// attrWhat tells apart the changes of a run in one second.
const attrWhat = "what"

// maxChanges is the largest number of changes that one page looks at.
const maxChanges = 1000

// Changed is a run that was changed.
type Changed struct {
	Run
	// At is the place of the change: by its second, then by the id of the run.
	At Place
}

// changeRow is a row of changed.
type changeRow struct {
	place Place
	what  string
}

// changes reads changes, at most maxChanges. more reports whether there are others
// behind them.
func (x Index) changes(ctx context.Context, in vcs.Installation, i interval) (rows []changeRow, more bool, err error) {
	if i.low > i.high {
		return nil, false, nil
	}
	query := table.Query{
		Key:      []table.Condition{table.Equal("pk", attr.String(walk{changed, ""}.partition(in))), table.Between("sk", attr.String(i.low), attr.String(i.high))},
		Names:    []string{"sk", attrWhat},
		Backward: i.backward, Limit: maxChanges,
	}
	for query.Limit > 0 {
		page, err := x.table.Query(ctx, query)
		if err != nil {
			return nil, false, fmt.Errorf("walk %s: %w", changed, err)
		}
		for _, item := range page.Items {
			r := attr.Read(item)
			second, id, err := parseSort(r.String("sk"))
			rows = append(rows, changeRow{Place{second, id}, r.String(attrWhat)})
			if err == nil {
				err = r.Err()
			}
			if err != nil {
				return nil, false, fmt.Errorf("decode index row: %w", err)
			}
		}
		if query.After = page.Next; page.Next == nil {
			return rows, false, nil
		}
		query.Limit = maxChanges - len(rows)
	}
	return rows, true, nil
}

// Digest is what a reader of changes can compare to find out whether there are more.
type Digest struct {
	// Sum differs if there was another change.
	Sum string
	// Newest is the second of the newest change; 0 if there is none.
	Newest int64
}

// DigestOf returns the digest of the newest changes of an installation's runs from a
// second on, at most maxChanges of them.
func (x Index) DigestOf(ctx context.Context, in vcs.Installation, since int64) (Digest, error) {
	rows, _, err := x.changes(ctx, in, seconds(since, maxSecond, true))
	if err != nil {
		return Digest{}, err
	}
	h := sha256.New()
	var d Digest
	for _, r := range rows {
		fmt.Fprintln(h, r.place.sort(), r.what)
		d.Newest = max(d.Newest, r.place.Second)
	}
	d.Sum = hex.EncodeToString(h.Sum(nil))
	return d, nil
}

// Changed returns a page of the runs of an installation that were changed in a second
// or later, as they are now, in the order of their changes. A run is listed once on a
// page, and may be listed again on another one.
func (x Index) Changed(ctx context.Context, in vcs.Installation, since int64, q Request[Place]) (Page[Changed, Place], error) {
	rows, more, err := x.changes(ctx, in, places(q, since, maxSecond))
	if err != nil {
		return Page[Changed, Place]{}, err
	}
	if q.From != nil && len(rows) > 0 && rows[0].place == *q.From {
		rows = rows[1:]
	}
	var page Page[Changed, Place]
	seen, size, read := map[run.ID]struct{}{}, 0, 0
	var at *Place // the last row that was looked at
	for len(rows) > 0 {
		var part []entry
		n := 0
		for ; n < len(rows) && len(part) < minRead; n++ {
			if _, twice := seen[rows[n].place.ID]; !twice {
				seen[rows[n].place.ID] = struct{}{}
				part = append(part, entry{second: rows[n].place.Second, id: rows[n].place.ID})
			}
		}
		runs, err := x.load(ctx, part)
		if err != nil {
			return page, err
		}
		for _, e := range part {
			r := runs[e.id]
			if r == nil {
				continue
			}
			if err := x.complete(ctx, r); err != nil {
				return page, err
			}
			if q.Query.Judge(&runRow{entryOf(r.Run), r}) == runquery.Never {
				continue
			}
			size += r.fit(x.limits.bytes)
			if full := len(page.Rows) == q.Limit; full || size > x.limits.bytes && len(page.Rows) > 0 {
				page.On = &page.Rows[len(page.Rows)-1].At
				return page, nil
			}
			page.Rows = append(page.Rows, Changed{*r, Place{e.second, e.id}})
		}
		at, rows, read = &rows[n-1].place, rows[n:], read+len(part)
		if read >= x.limits.runs && len(rows) > 0 {
			more = true
			break
		}
	}
	if more {
		page.On = at
	}
	return page, nil
}
