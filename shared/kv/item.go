package kv

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv/kvitem"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// cell is the content of one row. The cell of idx 0 lies in the head. Every other
// cell has an item of its own, with the same attributes. A cell exists if it has a
// version: removing a row removes everything but its revision and stamp.
type cell struct {
	version   *int   // vr
	revision  *int   // rv: never decreases within a generation
	committed bool   // cm
	readCaps  string // rc: a JSON list; empty: no restriction
	writeCaps string // wc: as rc
	size      int    // sz
	weight    int    // wt: bytes of the value inside a JSON string
	written   int64  // wa: Unix milliseconds
	stamp     string // st: the request of the last write
	inline    []byte // vd: the value, if it is small; for an artifact, its description
	body      body   // vo, vh: the object of a large value; for an artifact, the object of the file, without vh
	etag      string // ae: for an artifact, the ETag that S3 gave the file
	changed   int64  // ch_at: when the request that last changed the item began, Unix milliseconds
}

// head is the item of a key.
type head struct {
	cell
	key          string // sk, after its first letter
	generation   string // gn
	publication  int    // pv: counts commits
	publishStamp string // ps: stamp of the last commit or delete
	overlay      []byte // ov
	more         bool   // mr: whether rows other than idx 0 may exist
	guarded      bool   // gd: whether one of those rows may have write capabilities
}

// row is the item of an idx other than 0.
type row struct {
	cell
	idx int // sk
}

func readCell(r *attr.Reader) cell {
	c := cell{
		committed: r.Bool(kvitem.Committed), readCaps: r.String(kvitem.ReadCaps), writeCaps: r.String(kvitem.WriteCaps),
		size: int(r.Int(kvitem.Size)), weight: int(r.Int(kvitem.Weight)), written: r.Int(kvitem.WrittenAt), stamp: r.String(kvitem.Stamp),
		inline: r.Bytes(kvitem.Value), body: body{r.String(kvitem.Object), r.String(kvitem.ObjectHash)}, etag: r.String(kvitem.ETag),
		changed: r.Int(change.AttrAt),
	}
	c.version, c.revision = number(r, kvitem.Version), number(r, kvitem.Revision)
	return c
}

// number reads a number, or nil if there is none.
func number(r *attr.Reader, name string) *int {
	if !r.Has(name) {
		return nil
	}
	n := int(r.Int(name))
	return &n
}

func decodeCell(it attr.Item) (cell, error) {
	r := attr.Read(it)
	c := readCell(r)
	return c, decoded(r.Err())
}

func decodeHead(it attr.Item) (head, error) {
	r := attr.Read(it)
	h := head{
		cell: readCell(r), generation: r.String(kvitem.Generation), publication: int(r.Int(kvitem.Publication)),
		publishStamp: r.String(kvitem.PublishStamp), overlay: r.Bytes(kvitem.Overlay), more: r.Bool(kvitem.More), guarded: r.Bool(kvitem.Guarded),
	}
	if sort := r.Bytes("sk"); len(sort) > 0 {
		h.key = string(sort[1:])
	}
	return h, decoded(r.Err())
}

func decodeRow(it attr.Item) (row, error) {
	r := attr.Read(it)
	w := row{cell: readCell(r)}
	if sort := r.Bytes("sk"); len(sort) == 2 {
		w.idx = (int(sort[0])<<8 | int(sort[1])) + MinIdx
	}
	return w, decoded(r.Err())
}

func decoded(err error) error {
	if err != nil {
		return fmt.Errorf("decode item: %w", err)
	}
	return nil
}

// headKey returns the key of a head. A letter stands before the key in the sort
// key, so that the sort key is never empty.
func headKey(ns vcs.Installation, key string) attr.Item {
	return attr.Item{"pk": attr.String(Stored(ns)), "sk": attr.Bytes(headSort(key))}
}

func headSort(key string) []byte { return append([]byte{'k'}, key...) }

// rowPartition returns the partition of the rows of one generation of one key. A
// generation is a new random id, so the partition does not need the key.
func rowPartition(ns vcs.Installation, generation string) string {
	return Stored(ns) + ":" + generation
}

func rowKey(ns vcs.Installation, generation string, idx int) attr.Item {
	return attr.Item{"pk": attr.String(rowPartition(ns, generation)), "sk": attr.Bytes(rowSort(idx))}
}

// rowSort returns the sort key of a row: two bytes, which order rows by idx. They
// are the signed number, shifted to begin at zero.
func rowSort(idx int) []byte {
	u := uint16(idx - MinIdx)
	return []byte{byte(u >> 8), byte(u)}
}

// newGeneration returns the id of a new generation: 96 random bits.
func newGeneration() string {
	b := make([]byte, 12)
	rand.Read(b)
	return hex.EncodeToString(b)
}

func (c cell) exists() bool { return c.version != nil }

// seen reports whether a caller with these capabilities sees the cell.
func (c cell) seen(caps access.Set, committed, drafts bool) bool {
	return c.exists() && (committed || drafts) && allowed(c.readCaps, caps)
}

// allowed reports whether caps contain every capability of a row's list. If the
// list cannot be decoded, allowed returns false.
func allowed(list string, caps access.Set) bool {
	if list == "" {
		return true
	}
	set, err := decodeCaps(list)
	return err == nil && caps.HasAll(*set)
}

func decodeCaps(list string) (*access.Set, error) {
	if list == "" {
		return nil, nil
	}
	set := access.Set{}
	if err := json.Unmarshal([]byte(list), &set); err != nil {
		// Only the message is kept: a fault among the causes would become the
		// response.
		return nil, fmt.Errorf("decode row capabilities: %v", err)
	}
	return &set, nil
}

// record returns the cell as its reader sees it, without data.
func (c cell) record(key string, idx int, committed bool) (Record, error) {
	read, err := decodeCaps(c.readCaps)
	if err != nil {
		return Record{}, err
	}
	write, err := decodeCaps(c.writeCaps)
	if err != nil {
		return Record{}, err
	}
	return Record{
		Key: key, Idx: idx, Size: c.size, Version: *c.version, Committed: committed,
		ReadCaps: read, WriteCaps: write, CreatedAt: time.UnixMilli(c.written).UTC(),
	}, nil
}
