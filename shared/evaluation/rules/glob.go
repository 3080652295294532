package rules

import (
	"strings"
)

// anyGlob reports whether one of the globs matches a name and none with a ! does. Only
// exclusions mean everything else.
func anyGlob(globs []string, name string) bool {
	wanted, onlyExcluded := false, true
	for _, g := range globs {
		if rest, excludes := strings.CutPrefix(g, "!"); excludes {
			if glob(rest, name) {
				return false
			}
			continue
		}
		onlyExcluded = false
		wanted = wanted || glob(g, name)
	}
	return wanted || onlyExcluded && len(globs) > 0
}

// glob reports whether a glob matches a name. A * stands for any text, also with slashes.
// Letters count without their case.
func glob(pattern, name string) bool {
	parts := strings.Split(strings.ToLower(pattern), "*")
	name = strings.ToLower(name)
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok || len(parts) == 1 {
		return ok && rest == ""
	}
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, last)
}
