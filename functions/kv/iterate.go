package main

import (
	"context"
	"net/http"
	"net/url"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/selection"
	"github.com/opsplane/opsplane/shared/vcs"
)

// defaultLimit is the page size where none is asked for.
const defaultLimit = 30

// maxReads bounds how much one request reads of values of which it returns
// parts only, in pages of the store: each is at most a full response.
const maxReads = 8

// maxSelecting bounds how much one request looks for selected parts: bytes of
// values, times the items. One value of the largest size with the most items is
// all of it. The value that goes beyond it is the last on its page, so that there
// is always progress.
const maxSelecting = kv.MaxEscapedValue * selection.MaxItems

// iterating asks for one page of rows.
type iterating struct {
	ns    vcs.Installation
	rows  kv.Range
	parts selection.Selection

	address string     // of this iteration, for links; empty where the body names the key
	query   url.Values // likewise, without the cursor
}

func decodeIterate(r *http.Request) (iterating, error) {
	start, err := decodeKey(r)
	if err != nil {
		return iterating{}, err
	}
	it, err := readIterating(start, queryOf(r))
	it.address, it.query = httpapi.Address(asSent(r))+linkPath(r), httpapi.NewQuery(r).Values()
	it.query.Del("cursor")
	return it, err
}

func readIterating(start named, p parameters) (iterating, error) {
	parts, err := selection.Parse(p.strings("select"))
	if err != nil {
		return iterating{}, err
	}
	it := iterating{ns: start.ns, parts: parts, rows: kv.Range{
		Key: start.key, Idx: readIdx(p), Inclusive: p.bool("inclusive", true), Prefix: p.bool("prefix", false),
		Drafts: readDrafts(p), WithData: p.bool("include_data", true), Limit: defaultLimit,
	}}
	if n := p.int("limit", 0, kv.MaxLimit); n != nil {
		it.rows.Limit = *n
	}
	if !it.rows.WithData {
		it.parts = nil
	}
	it.rows.WithData = it.rows.WithData && it.parts.Reads()
	if cursor := p.string("cursor"); cursor != nil {
		if it.rows.After, err = decodeCursor(*cursor); err != nil {
			return iterating{}, err
		}
	}
	return it, p.failure()
}

// page is a part of an iteration, and where the next part begins if there is
// more: in a link, or in a cursor where the address does not tell what is asked.
type page struct {
	Results []record `json:"results"`
	Cursor  string   `json:"cursor,omitempty"`

	next string
}

// SetHeaders implements httpapi.Headerer.
func (p page) SetHeaders(h http.Header) {
	if p.next != "" {
		h.Set("Link", "<"+p.next+`>; rel="next"`)
	}
}

var _ httpapi.Headerer = page{}

// iterate answers as many rows as were asked for, fewer where they would not
// fit into a response, where too many are passed over on the way to them, or
// where parts are sought in too much of their values. Of selected parts more rows
// fit than of whole values, so that several reads may make up a page.
func (k keys) iterate(ctx context.Context, call httpapi.Call, it iterating) (page, error) {
	p := page{Results: []record{}}
	rows := it.rows
	rows.Budget = k.store.NewBudget()
	total, selecting := 0, 0
	for range maxReads {
		found, next, err := k.store.Iterate(ctx, caller(call, it.ns), rows)
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

// until ends a page at a position, behind which the next one begins.
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
