package contract

import "strings"

// find finds the operation of a request by its escaped path; false if the
// document has none.
func (d *document) find(method, path string) (operation, bool) {
	best, found := operation{}, false
	for _, op := range d.operations {
		// A path with more literal text is the closer one: whoami before {vcs}.
		if op.Method == method && matches(op.Path, path) && (!found || literals(op.Path) > literals(best.Path)) {
			best, found = op, true
		}
	}
	return best, found
}

// keyVariable is the one variable that takes the rest of the path, slashes
// and nothing at all included.
const keyVariable = "{key}"

// matches reports whether a path of a request fits a path of the document.
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
