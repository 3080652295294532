package main

import (
	"context"
	"net/http"
	"net/url"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/selection"
)

// defaultLimit is the page size if the request has no limit.
const defaultLimit = 30

// maxReads is how many pages of the store one request reads at most, if it returns
// only parts of the values. A page of the store is at most a full response.
const maxReads = 8

// maxSelecting limits how much of the values one request searches for selected
// parts. The unit is bytes of values times the number of items. One value of the
// largest size with the most items uses all of it. The value that exceeds the limit
// is the last on its page, so that there is always progress.
const maxSelecting = kv.MaxEscapedValue * selection.MaxItems

// iterating is a request for one page of rows.
type iterating struct {
	rows  kv.Range
	parts selection.Selection

	address string     // the URL of this iteration, for links; empty if the body names the key
	query   url.Values // as address, without the cursor
}

func decodeIterate(r *http.Request) (iterating, error) {
	start, err := decodeKey(r)
	if err != nil {
		return iterating{}, err
	}
	it, err := readIterating(start, httpapi.NewQuery(r))
	it.address, it.query = httpapi.Address(asSent(r))+linkPath(r), httpapi.NewQuery(r).Values()
	it.query.Del("cursor")
	return it, err
}

func readIterating(start string, p parameters) (iterating, error) {
	parts, err := selection.Parse(p.Strings("select"))
	if err != nil {
		return iterating{}, err
	}
	it := iterating{parts: parts, rows: kv.Range{
		Key: start, Idx: readIdx(p), Inclusive: p.Bool("inclusive", true), Prefix: p.Bool("prefix", false),
		Drafts: readDrafts(p), WithData: p.Bool("include_data", true), Limit: defaultLimit,
	}}
	if n := p.OptionalInt("limit", 0, kv.MaxLimit); n != nil {
		it.rows.Limit = *n
	}
	if !it.rows.WithData {
		it.parts = nil
	}
	it.rows.WithData = it.rows.WithData && it.parts.Reads()
	if cursor := p.OptionalString("cursor"); cursor != nil {
		if it.rows.After, err = decodeCursor(*cursor); err != nil {
			return iterating{}, err
		}
	}
	return it, p.Err()
}

// page is one page of an iteration. If there are more rows, it says where the next
// page begins: in a link, or in a cursor if the URL does not contain the whole
// request.
type page struct {
	Results []record `json:"results"`
	Cursor  string   `json:"cursor,omitempty"`

	next string
}

// SetHeaders implements httpapi.Headerer.
func (p page) SetHeaders(h http.Header) {
	setNext(h, p.next)
}

var _ httpapi.Headerer = page{}

// iterate returns as many rows as the request asks for. It returns fewer if they
// would not fit into a response, if it has to pass over too many rows before them,
// or if the selection has to search too much of their values. If only parts of the
// values are selected, more rows fit into a response. So one page may need several
// reads of the store.
func (k keys) iterate(ctx context.Context, call httpapi.Call, it iterating) (page, error) {
	p := page{Results: []record{}}
	rows := it.rows
	rows.Budget = k.store.NewBudget()
	total, selecting := 0, 0
	for range maxReads {
		found, next, err := k.store.Iterate(ctx, caller(call), rows)
		if err != nil {
			return page{}, err
		}
		for i, r := range found {
			selecting += len(r.Data) * len(it.parts)
			rec, err := showSelected(r, it.parts)
			if err != nil {
				return page{}, err
			}
			w, err := rec.weight()
			if err != nil {
				return page{}, err
			}
			if total += w; total > kv.MaxEscapedValue && len(p.Results) > 0 {
				last := p.Results[len(p.Results)-1]
				return it.until(p, kv.Position{Key: last.Key, Idx: last.Idx}), nil
			}
			p.Results = append(p.Results, rec)
			if selecting >= maxSelecting && i < len(found)-1 {
				return it.until(p, kv.Position{Key: rec.Key, Idx: rec.Idx}), nil
			}
		}
		if next == nil {
			return p, nil
		}
		rows.After, rows.Limit = next, it.rows.Limit-len(p.Results)
		if rows.Limit <= 0 || it.parts == nil || !rows.WithData || rows.Budget.Spent() || selecting >= maxSelecting {
			break
		}
	}
	return it.until(p, *rows.After), nil
}

// until ends a page at a position. The next page begins after it.
func (it iterating) until(p page, end kv.Position) page {
	cursor := encodeCursor(end)
	if it.address == "" {
		p.Cursor = cursor
		return p
	}
	p.next = it.address + "?cursor=" + cursor
	if rest := it.query.Encode(); rest != "" {
		p.next += "&" + rest
	}
	return p
}
