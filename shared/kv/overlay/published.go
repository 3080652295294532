package overlay

import (
	"cmp"
	"slices"
)

// Published compares the encoded overlays of a head before and after a commit. It
// returns the rows that the commit published: ranges of idx, both ends included, in
// ascending order, with a gap between them. It does not return rows that a commit
// dropped from the overlay because they were rewritten or removed.
func Published(before, after []byte) ([][2]int, error) {
	old, err := Decode(before)
	if err != nil {
		return nil, err
	}
	now, err := Decode(after)
	if err != nil {
		return nil, err
	}
	var idx []int
	for _, m := range now.Marks() {
		if !old.Has(m.Idx, m.Rev) {
			idx = append(idx, m.Idx)
		}
	}
	slices.SortFunc(idx, cmp.Compare)
	var ranges [][2]int
	for _, i := range slices.Compact(idx) {
		if n := len(ranges); n > 0 && ranges[n-1][1]+1 == i {
			ranges[n-1][1] = i
			continue
		}
		ranges = append(ranges, [2]int{i, i})
	}
	return ranges, nil
}
