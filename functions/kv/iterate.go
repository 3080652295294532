package main

import (
	"context"
	"net/http"
	"net/url"

	"github.com/opsplane/opsplane/shared/httpapi"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/selection"
)

// defaultLimit is the page size where none is asked for.
const defaultLimit = 30

// maxReads bounds how much one request reads of values of which it returns
// parts only, in pages of the store: each is at most a full response.
const maxReads = 8

// iterating asks for one page of rows.
type iterating struct {
	ns    kv.Namespace
	rows  kv.Range
	parts selection.Selection

	address string     // of this iteration, for links
	query   url.Values // likewise, without the cursor
}

func decodeIterate(r *http.Request) (iterating, error) {
	start, err := decodeKey(r)
	if err != nil {
		return iterating{}, err
	}
	query := r.URL.Query()
	it := iterating{ns: start.ns, query: query, address: httpapi.Address(asSent(r)) + r.URL.EscapedPath()}
	if it.parts, err = selection.Parse(query["select"]); err != nil {
		return iterating{}, err
	}
	q := httpapi.NewQuery(r)
	it.rows = kv.Range{
		Key: start.key, Idx: queryIdx(q), Inclusive: q.Bool("inclusive", true), Prefix: q.Bool("prefix", false),
		Drafts: !q.Bool("committed", true), WithData: q.Bool("include_data", true),
		Limit: q.Int("limit", defaultLimit, 0, kv.MaxLimit),
	}
	if !it.rows.WithData {
		it.parts = nil
	}
	it.rows.WithData = it.rows.WithData && it.parts.Reads()
	if q.Has("cursor") {
		if it.rows.After, err = decodeCursor(q.String("cursor", "")); err != nil {
			return iterating{}, err
		}
		query.Del("cursor")
	}
	return it, q.Err()
}

// page is a part of an iteration, with a link to the next part if there is
// more.
type page struct {
	Results []record `json:"results"`

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
// fit into a response or where too many are passed over on the way to them. Of selected parts more rows fit than of whole values,
// so that several reads may make up a page.
func (k keys) iterate(ctx context.Context, call httpapi.Call, it iterating) (page, error) {
	p := page{Results: []record{}}
	rows := it.rows
	rows.Budget = k.store.NewBudget()
	total := 0
	for range maxReads {
		found, next, err := k.store.Iterate(ctx, it.ns, call.Caller.Capabilities, rows)
		if err != nil {
			return page{}, err
		}
		for _, r := range found {
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
				p.next = it.link(kv.Position{Key: last.Key, Idx: last.Idx})
				return p, nil
			}
			p.Results = append(p.Results, rec)
		}
		if next == nil {
			return p, nil
		}
		rows.After, rows.Limit = next, it.rows.Limit-len(p.Results)
		if rows.Limit <= 0 || it.parts == nil || !rows.WithData || rows.Budget.Spent() {
			break
		}
	}
	p.next = it.link(*rows.After)
	return p, nil
}

// link is where the iteration goes on behind a position.
func (it iterating) link(after kv.Position) string {
	link := it.address + "?cursor=" + encodeCursor(after)
	if rest := it.query.Encode(); rest != "" {
		link += "&" + rest
	}
	return link
}
