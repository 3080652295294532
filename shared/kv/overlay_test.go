package kv

import (
	"testing"

	"pgregory.net/rapid"
)

func drawMarks(t *rapid.T) []mark {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) mark {
		return mark{rapid.IntRange(-20, 20).Draw(t, "idx"), rapid.IntRange(0, 3).Draw(t, "rev")}
	}), 0, 60).Draw(t, "marks")
}

func TestOverlayNamesExactlyItsMarks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		marks := drawMarks(t)
		want := map[mark]bool{}
		for _, m := range marks {
			want[m] = true
		}
		o, err := decodeOverlay(newOverlay(marks).encode())
		if err != nil {
			t.Fatalf("decode: %v", err)
		}
		for idx := -22; idx <= 22; idx++ {
			for rev := range 5 {
				m := mark{idx, rev}
				if got := o.has(idx, rev); got != want[m] {
					t.Fatalf("has(%d, %d) = %v, want %v", idx, rev, got, want[m])
				}
			}
		}
		if got := len(o.marks()); got != len(want) {
			t.Fatalf("marks() lists %d, want %d", got, len(want))
		}
	})
}

func TestOverlayHoldsTheEdgesOfIdx(t *testing.T) {
	o, err := decodeOverlay(newOverlay([]mark{{MinIdx, 0}, {MaxIdx, 0}}).encode())
	if err != nil {
		t.Fatal(err)
	}
	if !o.has(MinIdx, 0) || !o.has(MaxIdx, 0) || o.has(0, 0) {
		t.Fatalf("overlay of the two edges is %v", o)
	}
}

func TestOverlayOfAChunkedUploadIsAFewBytes(t *testing.T) {
	marks := make([]mark, 10486)
	for i := range marks {
		marks[i] = mark{i, 0}
	}
	if got := len(newOverlay(marks).encode()); got > 16 {
		t.Fatalf("10,486 contiguous rows encode to %d bytes, want at most 16", got)
	}
}

func TestDecodeOverlayRefusesDamageAndNeverPanics(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
		if o, err := decodeOverlay(b); err == nil {
			for _, m := range o.marks() {
				if m.idx < MinIdx || m.idx > MaxIdx {
					t.Fatalf("decoded idx %d out of range", m.idx)
				}
			}
		}
	})
	for _, b := range [][]byte{{2}, {1, 0}, {1, 0, 1, 0}, {1, 0, 1, 0xff, 0xff, 0x7f, 0}} {
		if _, err := decodeOverlay(b); err == nil {
			t.Errorf("decodeOverlay(%v) accepted damage", b)
		}
	}
}
