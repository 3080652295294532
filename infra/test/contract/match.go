package contract

import "strings"

// find returns the operation of a request by its method and escaped path. It returns false if
// the document has none.
func (d *document) find(method, path string) (operation, bool) {
	best, found := operation{}, false
	for _, op := range d.operations {
		// The path with more literal text fits better: whoami is preferred to {vcs}.
		if op.Method == method && matches(op.Path, path) && (!found || literals(op.Path) > literals(best.Path)) {
			best, found = op, true
		}
	}
	return best, found
}

// keyVariable is the only variable that takes the rest of the path. The rest may contain
// slashes, and it may be empty.
const keyVariable = "{key}"

// matches reports whether the path of a request fits a path of the document.
func matches(pattern, path string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	for i, segment := range want {
		switch {
		case segment == keyVariable && i == len(want)-1:
			return true
		case i >= len(got):
			return false
		case variable(segment) && got[i] == "", !variable(segment) && segment != got[i]:
			return false
		}
	}
	return len(want) == len(got)
}

func variable(segment string) bool { return strings.HasPrefix(segment, "{") }

func literals(pattern string) int {
	n := 0
	for segment := range strings.SplitSeq(pattern, "/") {
		if !variable(segment) {
			n++
		}
	}
	return n
}
