package kv

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv/kvitem"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Set stores a value, whatever the row held before. It fails with
// fault.ErrForbidden if the caller lacks one of the row's write capabilities, and
// with VERSION_LIMIT if the row is at MaxVersion.
func (s *Store) Set(ctx context.Context, by Caller, w Write) (Record, error) {
	return s.write(ctx, by, w, Condition{}.rule(by.Capabilities))
}

// CompareAndSet stores a value if the row is at the given version or, if version is
// nil, if the row does not exist in any form, not even as a draft or as a row that
// the caller may not read. Otherwise it fails with fault.ErrUnmet. It fails in the
// same way if the caller lacks one of the row's write capabilities.
func (s *Store) CompareAndSet(ctx context.Context, by Caller, w Write, version *int) (Record, error) {
	return s.write(ctx, by, w, Condition{Absent: version == nil, Version: version}.rule(by.Capabilities))
}

// write stores w in its row if the rule allows it. The first try guesses what the
// row is. If the guess fails, each later try is conditional on the revision that
// the failed try returned.
func (s *Store) write(ctx context.Context, by Caller, w Write, r rule) (Record, error) {
	if err := checkWrite(w); err != nil {
		return Record{}, err
	}
	c, err := s.prepare(ctx, by, w)
	if err != nil {
		return Record{}, err
	}
	at, err := s.locate(ctx, by, w, r)
	if err != nil {
		return Record{}, err
	}
	e := c.edit(by.Author, w, at)
	e.Count(kvitem.Version, -1, 1)
	e.If(table.Differs(kvitem.Stamp, attr.String(by.Author.Request))).If(r.guess...)
	var exact *cell // the cell that was read; e is conditional on its revision
	for range table.Tries(ctx, tries) {
		out, err := s.update(ctx, at.key, e)
		if err != nil {
			return Record{}, err
		}
		old, err := decodeCell(out.item)
		if err != nil {
			return Record{}, err
		}
		if out.done || old.exists() && old.stamp == by.Author.Request {
			if err := s.settle(ctx, by, w.Key, at); err != nil {
				return Record{}, err
			}
			return old.record(w.Key, w.Idx, w.Committed)
		}
		if out.unknown(exact, old, by.Author) {
			return Record{}, errUnknown
		}
		if err := r.judge(old); err != nil {
			return Record{}, err
		}
		exact = &old
		e = c.edit(by.Author, w, at)
		e.Set(kvitem.Version, attr.Int(int64(old.next()))).If(atRevision(old))
	}
	return Record{}, table.GaveUp(ctx, errContended)
}

// prepare returns the cell that w stores. It writes the body first, so that a row
// never names an object that does not exist.
func (s *Store) prepare(ctx context.Context, by Caller, w Write) (cell, error) {
	c, err := newCell(by.Author, w)
	if err != nil {
		return cell{}, err
	}
	if len(w.Value.Text) <= InlineMax {
		c.inline = w.Value.Text
		return c, nil
	}
	if err := s.register(ctx, by.Installation); err != nil {
		return cell{}, err
	}
	c.body, err = s.bodies.put(ctx, by.Installation, w.Value.Text)
	return c, err
}

// newCell returns the cell that w stores, without its value.
func newCell(author change.Author, w Write) (c cell, err error) {
	c = cell{
		committed: w.Committed, size: w.Value.Size, weight: w.Value.EscapedLen(),
		written: author.At.UnixMilli(), stamp: author.Request,
	}
	if c.readCaps, err = encodeCaps(w.ReadCaps); err != nil {
		return cell{}, err
	}
	c.writeCaps, err = encodeCaps(w.WriteCaps)
	return c, err
}

func encodeCaps(caps *access.Set) (string, error) {
	if caps == nil {
		return "", nil
	}
	if *caps == nil {
		return "[]", nil
	}
	b, err := json.Marshal(*caps)
	if err != nil {
		return "", fmt.Errorf("encode row capabilities: %w", err)
	}
	return string(b), nil
}

// place says where a row lies.
type place struct {
	key        attr.Item
	inHead     bool
	generation string // the generation of the row; empty in the head
}

// locate finds the item of w's row. For idx 0 it is the head, which the write
// itself creates. Otherwise it is a row of the head's generation. If the head must
// change before the row may be written, locate asks the rule first, so that a
// refused write changes nothing.
func (s *Store) locate(ctx context.Context, by Caller, w Write, r rule) (place, error) {
	if w.Idx == 0 {
		return place{key: headKey(by.Installation, w.Key), inHead: true}, nil
	}
	h, ok, err := s.getHead(ctx, by.Installation, w.Key)
	if err != nil {
		return place{}, err
	}
	guarded := w.WriteCaps != nil
	if !ok || !h.announces(guarded) {
		var c cell
		if h.more {
			if c, err = s.getCell(ctx, rowKey(by.Installation, h.generation, w.Idx)); err != nil {
				return place{}, err
			}
		}
		if err := r.judge(c); err != nil {
			return place{}, err
		}
		if h, err = s.openHead(ctx, by, w.Key, guarded); err != nil {
			return place{}, err
		}
	}
	return place{key: rowKey(by.Installation, h.generation, w.Idx), generation: h.generation}, nil
}

// announces reports whether the head says that the key has more rows and, if
// guarded is true, rows with write capabilities.
func (h head) announces(guarded bool) bool { return h.more && (h.guarded || !guarded) }

// openHead makes a key's head announce more rows. The announcement is written
// before the row, so that no delete can miss the row.
func (s *Store) openHead(ctx context.Context, by Caller, key string, guarded bool) (head, error) {
	if err := s.register(ctx, by.Installation); err != nil {
		return head{}, err
	}
	at := headKey(by.Installation, key)
	e := newEdit(at, by.Author).SetFirst(kvitem.Generation, attr.String(newGeneration())).Set(kvitem.More, attr.Bool(true)).Remove("ttl")
	if guarded {
		e.Set(kvitem.Guarded, attr.Bool(true))
	}
	for range table.Tries(ctx, tries) {
		out, err := s.update(ctx, at, e)
		if err != nil {
			return head{}, err
		}
		h, err := decodeHead(out.item)
		if err != nil {
			return head{}, err
		}
		if h.announces(guarded) {
			return h, nil
		}
	}
	return head{}, table.GaveUp(ctx, errContended)
}

// edit returns an edit that sets all of the cell but its version, and increases the
// revision.
func (c cell) edit(author change.Author, w Write, at place) *table.Edit {
	e := newEdit(at.key, author)
	nextRevision(e)
	e.Set(kvitem.Committed, attr.Bool(c.committed)).
		Set(kvitem.Size, attr.Int(int64(c.size))).
		Set(kvitem.Weight, attr.Int(int64(c.weight))).
		Set(kvitem.WrittenAt, attr.Int(c.written)).
		Set(kvitem.Stamp, attr.String(c.stamp)).
		SetOrRemove(c.readCaps != "", kvitem.ReadCaps, attr.String(c.readCaps)).
		SetOrRemove(c.writeCaps != "", kvitem.WriteCaps, attr.String(c.writeCaps)).
		SetOrRemove(c.body.hash == "", kvitem.Value, attr.Bytes(c.inline)).
		SetOrRemove(c.body.hash != "", kvitem.ObjectHash, attr.String(c.body.hash)).
		SetOrRemove(c.body.id != "", kvitem.Object, attr.String(c.body.id)).
		SetOrRemove(c.etag != "", kvitem.ETag, attr.String(c.etag))
	if at.inHead {
		return e.SetFirst(kvitem.Generation, attr.String(newGeneration())).Remove("ttl")
	}
	return e.Set(kvitem.KeyName, attr.Bytes([]byte(w.Key)))
}

// next returns the version that the next write gives the cell.
func (c cell) next() int {
	if !c.exists() {
		return 0
	}
	return *c.version + 1
}

// longestRequest is longer than any request of this store can run, in milliseconds.
// It is the function's timeout in template.yaml and some time for clocks that
// differ.
const longestRequest = 30_000

// quiet reports whether nobody has written the cell since author's request began.
// Every change carries the time at which its request began. A request writes at
// most its own length after that time.
func quiet(c cell, author change.Author) bool {
	return c.changed < author.At.UnixMilli()-longestRequest
}

// unknown reports whether the effect of an update cannot be known, so that the
// update must not be made again. If the update was conditional on one exact
// revision, it applies at most once. While that revision stands, it has not
// applied. If the update was a guess, its effect is known only if its request has
// ended and nobody wrote since author's request began.
func (o outcome) unknown(exact *cell, now cell, author change.Author) bool {
	switch {
	case !o.unsure:
		return false
	case exact != nil:
		return !sameRevision(*exact, now)
	}
	return o.late || !quiet(now, author)
}

func sameRevision(a, b cell) bool {
	if a.revision == nil || b.revision == nil {
		return a.revision == b.revision
	}
	return *a.revision == *b.revision
}
