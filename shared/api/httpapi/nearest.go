package httpapi

import "strings"

// maxSuggested is the largest length, in bytes, of a name for which the nearest
// known name is sought. Known names are much shorter, so a longer name is not a
// misspelling of one.
const maxSuggested = 64

// nearest returns the known name that the sender most likely meant. At most a third
// of its letters may be wrong, missing, added, or swapped with their neighbour. If
// several names differ equally little, nearest returns the first. Letter case does
// not matter. It returns an empty string if no name is near.
func nearest(name string, known []string) string {
	if len(name) > maxSuggested {
		return ""
	}
	best, least := "", 0
	for _, candidate := range known {
		d := distance(strings.ToLower(name), strings.ToLower(candidate))
		if d <= max(1, len(candidate)/3) && (best == "" || d < least) {
			best, least = candidate, d
		}
	}
	return best
}

// distance returns how many letters must be added, removed, replaced or swapped
// with their neighbour to turn one name into the other (optimal string alignment).
func distance(a, b string) int {
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, above, row = above, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
