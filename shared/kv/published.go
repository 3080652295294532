package kv

import (
	"cmp"
	"slices"
)

// Published compares the overlays of a head before and after a commit, and
// answers which rows the commit has published: ranges of idx, both ends
// included, ascending and not adjacent. Rows that a commit dropped from the
// overlay, because they were rewritten or removed, are none.
func Published(before, after []byte) ([][2]int, error) {
	old, err := decodeOverlay(before)
	if err != nil {
		return nil, err
	}
	now, err := decodeOverlay(after)
	if err != nil {
		return nil, err
	}
	var idx []int
	for _, m := range now.marks() {
		if !old.has(m.idx, m.rev) {
			idx = append(idx, m.idx)
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
