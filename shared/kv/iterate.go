package kv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// pageWeight is the maximum weight of the records of one page: bytes of the
// response that carries them. A page ends before the record that would exceed it.
// It leaves room for what the response has besides the records.
const pageWeight = MaxEscapedValue

// recordWeight is the weight of a record without its value, key and capabilities,
// in bytes.
const recordWeight = 256

// bodyReaders is how many bodies of a page are read at the same time.
const bodyReaders = 32

// headPage is the maximum number of heads that one read asks for.
const headPage = 200

// Iterate returns one page of the visible rows of a range. The rows are ordered by
// the bytes of the key, then by idx. next is the position at which the next page
// begins; nil at the end.
//
// A page ends at the range's limit, or earlier: where more values would not fit
// into a response, or where the range's budget is spent. If the budget is spent,
// the page may have no record, and it may end between two rows of one key that the
// caller does not see. A caller that follows next visits each row that exists the
// whole time exactly once.
//
// On one page, the rows of one key show all of a commit or nothing of it. Apart
// from that, the rows are read one after another, not at one moment. Several keys
// or pages are not a snapshot: if a commit of several keys is published during the
// iteration, only the later keys may show it.
func (s *Store) Iterate(ctx context.Context, by Caller, r Range) (records []Record, next *Position, err error) {
	if err := checkRow(r.Key, r.Idx); err != nil {
		return nil, nil, err
	}
	if r.Limit < 0 || r.Limit > MaxLimit {
		return nil, nil, fault.Invalidf("INVALID_LIMIT", "limit %d is out of range; use 0 to %d", r.Limit, MaxLimit)
	}
	if r.Limit == 0 {
		return nil, nil, nil
	}
	if r.Budget == nil {
		r.Budget = s.NewBudget()
	}
	p := &page{Store: s, Caller: by, Range: r}
	if err := p.walk(ctx); err != nil {
		return nil, nil, err
	}
	if r.WithData {
		if err := p.load(ctx); err != nil {
			return nil, nil, err
		}
	}
	return p.records, p.next, nil
}

// page collects the records of one page.
type page struct {
	*Store
	Caller
	Range
	records []Record
	cells   []cell
	weight  int
	next    *Position // the position after which the next page begins; set when this page has ended
}

// start returns where the walk begins: the key and its first idx.
func (p *page) start() (key string, idx int) {
	key, idx = p.Key, MinIdx
	switch {
	case p.Inclusive && p.Idx != nil:
		idx = *p.Idx
	case p.Idx != nil:
		idx = *p.Idx + 1
	case !p.Inclusive:
		idx = MaxIdx + 1
	}
	if p.After == nil {
		return key, idx
	}
	switch a := *p.After; {
	case a.Key > key:
		key, idx = a.Key, a.Idx+1
	case a.Key == key:
		idx = max(idx, a.Idx+1)
	}
	return key, idx
}

// single reports whether the walk stays on the key of the range.
func (p *page) single() bool { return p.Inclusive && p.Idx != nil }

// walk visits heads in order until the page has ended.
func (p *page) walk(ctx context.Context) error {
	key, idx := p.start()
	if p.single() {
		if key != p.Key {
			return nil
		}
		h, ok, err := p.getHead(ctx, p.Installation, key)
		if err != nil || !ok {
			return err
		}
		return p.rows(ctx, h, idx)
	}
	q := p.headsFrom(key)
	for {
		found, err := p.table.Query(ctx, q)
		if err != nil {
			return fmt.Errorf("query heads: %w", err)
		}
		p.Budget.take(found.Units, len(found.Items))
		last := ""
		for _, it := range found.Items {
			h, err := decodeHead(it)
			if err != nil {
				return err
			}
			from := MinIdx
			if h.key == key {
				from = idx
			}
			if p.Prefix && !strings.HasPrefix(h.key, p.Key) {
				return nil
			}
			if err := p.rows(ctx, h, from); err != nil || p.next != nil {
				return err
			}
			if last = h.key; h.more && from <= MaxIdx && p.Budget.Spent() {
				p.next = &Position{last, MaxIdx}
				return nil
			}
		}
		if found.Next == nil {
			return nil
		}
		if p.Budget.Spent() {
			p.next = &Position{last, MaxIdx}
			return nil
		}
		q.After, q.Limit = found.Next, headPage
	}
}

// rows visits the rows of one key, beginning with the idx from.
func (p *page) rows(ctx context.Context, h head, from int) error {
	if from > MaxIdx {
		return nil
	}
	var damaged error
	e := extent{from: from, first: p.Limit - len(p.records) + 1, values: p.WithData, budget: p.Budget}
	end, err := p.read(ctx, p.Installation, h, e, func(idx int, c cell, committed bool) bool {
		if !c.seen(p.Capabilities, committed, p.Drafts) {
			return true
		}
		rec, err := c.record(h.key, idx, committed)
		if err != nil {
			damaged = err
			return false
		}
		p.add(rec, c)
		return p.next == nil
	})
	if end != nil {
		p.next = &Position{h.key, *end}
	}
	return errors.Join(err, damaged)
}

// add puts a record on the page. If the page is full, it sets next instead.
func (p *page) add(rec Record, c cell) {
	w := recordWeight + 8*len(rec.Key) + 2*(len(c.readCaps)+len(c.writeCaps))
	if p.WithData {
		w += c.weight
	}
	if len(p.records) == p.Limit || len(p.records) > 0 && p.weight+w > pageWeight {
		last := p.records[len(p.records)-1]
		p.next = &Position{last.Key, last.Idx}
		return
	}
	p.weight += w
	p.records, p.cells = append(p.records, rec), append(p.cells, c)
}

// load reads the values of the page.
func (p *page) load(ctx context.Context) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(bodyReaders)
	for i, c := range p.cells {
		group.Go(func() error {
			value, err := p.bodies.value(gctx, p.Installation, c)
			if errors.Is(err, errBodyGone) {
				return errChanged
			}
			p.records[i].Data = value
			return err
		})
	}
	return group.Wait()
}

// errChanged says that a row was overwritten and its body collected while the page
// was read.
var errChanged = fault.Busyf("CHANGED", "the rows changed while they were read; try again")

// headsFrom returns the first read of heads, in order, beginning with key. It asks
// for no more heads than the page may need. With a prefix, the read also has an
// upper bound: the successor of the prefix. For an empty prefix, that is above all
// keys.
func (p *page) headsFrom(key string) table.Query {
	from := headSort(key)
	heads := table.AtLeast("sk", attr.Bytes(from))
	if p.Prefix {
		to := successor(headSort(p.Key))
		if bytes.Compare(from, to) > 0 {
			from = to
		}
		heads = table.Between("sk", attr.Bytes(from), attr.Bytes(to))
	}
	return table.Query{
		Key:   []table.Condition{table.Equal("pk", attr.String(Stored(p.Installation))), heads},
		Limit: min(p.Limit+1, headPage), Measure: true,
	}
}

// successor returns the smallest byte string that is greater than every string with
// this prefix.
func successor(prefix []byte) []byte {
	s := bytes.Clone(prefix)
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] < 0xff {
			s[i]++
			return s[:i+1]
		}
	}
	return s
}
