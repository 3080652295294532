// Package overlay says which rows of a key are published. It makes no requests, so
// that readers of the table's stream can use it too.
package overlay

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
	"sort"
)

// MinIdx and MaxIdx are the lowest and the highest idx of a row: a signed number of
// 16 bits.
const (
	MinIdx = -1 << 15
	MaxIdx = 1<<15 - 1
)

// Mark names one revision of one row.
type Mark struct{ Idx, Rev int }

// Overlay is the set of row revisions that commits have published and that the rows
// themselves do not show yet. It is a part of the head of the key, so that one
// write of the head publishes any number of rows. In memory it holds, for each
// revision, the idx values as spans. The spans are sorted and have a gap between
// them. After a chunked upload there is one span of one revision.
type Overlay map[int][]span

// span is the range of idx values from first to last, both included.
type span struct{ first, last int }

// MaxBytes is the maximum size of an encoded overlay, in bytes. Every operation on
// a key reads its head, and an item holds at most 400 KB (DynamoDB service quotas).
// A scattered row takes two to three bytes. A row with a revision that no other row
// has takes about five.
const MaxBytes = 64 << 10

// overlayFormat is the first byte of an encoded overlay.
const overlayFormat = 1

var errOverlay = errors.New("damaged overlay")

// New returns the overlay that names exactly these marks.
func New(marks []Mark) Overlay {
	slices.SortFunc(marks, func(a, b Mark) int {
		return cmp.Or(cmp.Compare(a.Rev, b.Rev), cmp.Compare(a.Idx, b.Idx))
	})
	o := Overlay{}
	for _, m := range marks {
		spans := o[m.Rev]
		if n := len(spans); n > 0 && m.Idx <= spans[n-1].last+1 {
			spans[n-1].last = max(spans[n-1].last, m.Idx)
			continue
		}
		o[m.Rev] = append(spans, span{m.Idx, m.Idx})
	}
	return o
}

// Has reports whether the overlay names this revision of this row.
func (o Overlay) Has(idx, rev int) bool {
	spans := o[rev]
	i := sort.Search(len(spans), func(i int) bool { return spans[i].last >= idx })
	return i < len(spans) && spans[i].first <= idx
}

// Marks lists the revisions that the overlay names.
func (o Overlay) Marks() []Mark {
	var all []Mark
	for rev, spans := range o {
		for _, s := range spans {
			for idx := s.first; idx <= s.last; idx++ {
				all = append(all, Mark{idx, rev})
			}
		}
	}
	return all
}

// Encode returns the overlay as bytes. The first byte is the format. Then each
// revision follows, in ascending order: the revision, the number of its spans, and
// for each span its distance from the end of the span before and its length minus
// 1. All numbers are unsigned varints. The empty overlay is nil.
func (o Overlay) Encode() []byte {
	if len(o) == 0 {
		return nil
	}
	revs := make([]int, 0, len(o))
	for rev := range o {
		revs = append(revs, rev)
	}
	slices.Sort(revs)
	b := []byte{overlayFormat}
	for _, rev := range revs {
		b = binary.AppendUvarint(b, uint64(rev))
		b = binary.AppendUvarint(b, uint64(len(o[rev])))
		end := MinIdx
		for _, s := range o[rev] {
			b = binary.AppendUvarint(b, uint64(s.first-end))
			b = binary.AppendUvarint(b, uint64(s.last-s.first))
			end = s.last
		}
	}
	return b
}

// Decode reads only what Encode wrote. Anything else is an error, because Has would
// be wrong if spans were out of order.
func Decode(b []byte) (Overlay, error) {
	o := Overlay{}
	if len(b) == 0 {
		return o, nil
	}
	if b[0] != overlayFormat {
		return nil, errOverlay
	}
	r := uvarints{b: b[1:]}
	for before := -1; len(r.b) > 0; {
		rev, n := r.next(), r.next()
		if r.bad || rev <= before || n == 0 {
			return nil, errOverlay
		}
		end := MinIdx
		for i := range n {
			gap, length := r.next(), r.next()
			first := end + gap
			if r.bad || i > 0 && gap < 2 || first+length > MaxIdx {
				return nil, errOverlay
			}
			end = first + length
			o[rev] = append(o[rev], span{first, end})
		}
		before = rev
	}
	if len(o) == 0 {
		return nil, errOverlay
	}
	return o, nil
}

// uvarints reads unsigned varints one by one. bad becomes true, and stays true, at
// the first varint that is cut off, longer than necessary, or greater than any
// number of an overlay.
type uvarints struct {
	b   []byte
	bad bool
}

func (u *uvarints) next() int {
	const limit = 1 << 40
	v, n := binary.Uvarint(u.b)
	if u.bad || n <= 0 || v > limit || n > 1 && u.b[n-1] == 0 {
		u.bad = true
		return 0
	}
	u.b = u.b[n:]
	return int(v)
}
