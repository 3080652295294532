package overlay

import (
	"bytes"
	"testing"
)

// FuzzOverlay checks that Decode accepts only bytes that Encode writes, and that
// Has and Marks then name the same rows.
func FuzzOverlay(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte, idx int16, rev uint16) {
		o, err := Decode(b)
		if err != nil {
			return
		}
		if again := o.Encode(); !bytes.Equal(again, b) {
			t.Fatalf("%x was read as %v, which is written %x", b, o, again)
		}
		marks := o.Marks()
		named := map[Mark]bool{}
		for _, m := range marks {
			if m.Idx < MinIdx || m.Idx > MaxIdx || named[m] || !o.Has(m.Idx, m.Rev) {
				t.Fatalf("%x names %+v twice, or not", b, m)
			}
			named[m] = true
		}
		if one := (Mark{int(idx), int(rev)}); o.Has(one.Idx, one.Rev) != named[one] {
			t.Fatalf("%x: has %+v is %v", b, one, !named[one])
		}
		if again := New(marks).Encode(); !bytes.Equal(again, b) {
			t.Fatalf("%x has marks that are written %x", b, again)
		}
	})
}
