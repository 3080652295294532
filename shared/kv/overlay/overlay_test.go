package overlay

import (
	"testing"

	"pgregory.net/rapid"
)

func drawMarks(t *rapid.T) []Mark {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Mark {
		return Mark{rapid.IntRange(-20, 20).Draw(t, "idx"), rapid.IntRange(0, 3).Draw(t, "rev")}
	}), 0, 60).Draw(t, "marks")
}

func TestOverlayNamesExactlyItsMarks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		marks := drawMarks(t)
		want := map[Mark]bool{}
		for _, m := range marks {
			want[m] = true
		}
		o, err := Decode(New(marks).Encode())
		if err != nil {
			t.Fatalf("decode: %v", err)
		}
		for idx := -22; idx <= 22; idx++ {
			for rev := range 5 {
				m := Mark{idx, rev}
				if got := o.Has(idx, rev); got != want[m] {
					t.Fatalf("has(%d, %d) = %v, want %v", idx, rev, got, want[m])
				}
			}
		}
		if got := len(o.Marks()); got != len(want) {
			t.Fatalf("marks() lists %d, want %d", got, len(want))
		}
	})
}

func TestOverlayHoldsTheEdgesOfIdx(t *testing.T) {
	o, err := Decode(New([]Mark{{MinIdx, 0}, {MaxIdx, 0}}).Encode())
	if err != nil {
		t.Fatal(err)
	}
	if !o.Has(MinIdx, 0) || !o.Has(MaxIdx, 0) || o.Has(0, 0) {
		t.Fatalf("overlay of the two edges is %v", o)
	}
}

func TestOverlayOfAChunkedUploadIsAFewBytes(t *testing.T) {
	marks := make([]Mark, 10486)
	for i := range marks {
		marks[i] = Mark{i, 0}
	}
	if got := len(New(marks).Encode()); got > 16 {
		t.Fatalf("10,486 contiguous rows encode to %d bytes, want at most 16", got)
	}
}

func TestDecodeOverlayRefusesDamageAndNeverPanics(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
		if o, err := Decode(b); err == nil {
			for _, m := range o.Marks() {
				if m.Idx < MinIdx || m.Idx > MaxIdx {
					t.Fatalf("decoded idx %d out of range", m.Idx)
				}
			}
		}
	})
	for _, b := range [][]byte{{2}, {1, 0}, {1, 0, 1, 0}, {1, 0, 1, 0xff, 0xff, 0x7f, 0}} {
		if _, err := Decode(b); err == nil {
			t.Errorf("Decode(%v) accepted damage", b)
		}
	}
}
