package kv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// pageWeight is how much the records of one page may weigh, in bytes of the
// response that carries them; a page ends before the record that would exceed
// it. It leaves room for what stands around the records.
const pageWeight = MaxEscapedValue

// recordWeight is what a record weighs beside its value, key and capabilities.
const recordWeight = 256

// bodyReaders is how many bodies of a page are read at once.
const bodyReaders = 32

// headPage bounds how many heads one read asks for.
const headPage = 200

// Iterate returns one page of the visible rows of a range, ordered by the
// bytes of the key, then by idx. next is where to go on, nil at the end. A page
// ends at the range's limit, or earlier: where its values would not fit into a
// response, or where the range's budget is spent, then perhaps without any
// record, and also between two rows of one key that the caller does not see.
// Following next visits every row that stands throughout exactly once.
//
// On one page, the rows of one key show all of a commit or nothing of it.
// Beside that the rows are read one after another, not at one moment, and
// several keys or pages are no snapshot: a commit of several keys that is
// published during the iteration may show on the later keys only.
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

// page gathers the records of one page.
type page struct {
	*Store
	Caller
	Range
	records []Record
	cells   []cell
	weight  int
	next    *Position // where the next page goes on, once this one has ended
}

// start is where the walk begins: the key and the first idx of it.
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
	in := p.headsFrom(key)
	for {
		out, err := p.db.Query(ctx, in)
		if err != nil {
			return fmt.Errorf("query heads: %w", err)
		}
		p.Budget.take(out.ConsumedCapacity, len(out.Items))
		last := ""
		for _, it := range out.Items {
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
		if len(out.LastEvaluatedKey) == 0 {
			return nil
		}
		if p.Budget.Spent() {
			p.next = &Position{last, MaxIdx}
			return nil
		}
		in.ExclusiveStartKey, in.Limit = out.LastEvaluatedKey, aws.Int32(headPage)
	}
}

// rows visits the rows of one key from idx on.
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

// add puts a record on the page, or finds the page full.
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

// errChanged is answered when a row was overwritten, and its body collected,
// while the page was read.
var errChanged = fault.Busyf("CHANGED", "the rows changed while they were read; try again")

// headsFrom is the first read of heads from key on, in order: no more than the
// page may need. With a prefix it also has an upper bound: the prefix's
// successor, or a key beyond all others.
func (p *page) headsFrom(key string) *dynamodb.QueryInput {
	in := &dynamodb.QueryInput{
		TableName: &p.table, ConsistentRead: aws.Bool(true), Limit: aws.Int32(int32(min(p.Limit+1, headPage))),
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		KeyConditionExpression: aws.String("pk = :pk AND sk >= :from"),
		ExpressionAttributeValues: attr.Item{
			":pk": attr.String(Stored(p.Installation)), ":from": attr.Bytes(headSort(key)),
		},
	}
	if p.Prefix {
		in.KeyConditionExpression = aws.String("pk = :pk AND sk BETWEEN :from AND :to")
		in.ExpressionAttributeValues[":to"] = attr.Bytes(successor(headSort(p.Key)))
		if bytes.Compare(headSort(key), successor(headSort(p.Key))) > 0 {
			in.ExpressionAttributeValues[":from"] = in.ExpressionAttributeValues[":to"]
		}
	}
	return in
}

// successor is the least byte string that is above every one with this prefix.
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
