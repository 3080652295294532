package kv

import (
	"bytes"
	"testing"
)

// FuzzOverlay: bytes are read as an overlay only if an overlay is written so;
// and then it names the same rows one by one and together.
func FuzzOverlay(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte, idx int16, rev uint16) {
		o, err := decodeOverlay(b)
		if err != nil {
			return
		}
		if again := o.encode(); !bytes.Equal(again, b) {
			t.Fatalf("%x was read as %v, which is written %x", b, o, again)
		}
		marks := o.marks()
		named := map[mark]bool{}
		for _, m := range marks {
			if m.idx < MinIdx || m.idx > MaxIdx || named[m] || !o.has(m.idx, m.rev) {
				t.Fatalf("%x names %+v twice, or not", b, m)
			}
			named[m] = true
		}
		if one := (mark{int(idx), int(rev)}); o.has(one.idx, one.rev) != named[one] {
			t.Fatalf("%x: has %+v is %v", b, one, !named[one])
		}
		if again := newOverlay(marks).encode(); !bytes.Equal(again, b) {
			t.Fatalf("%x has marks that are written %x", b, again)
		}
	})
}
