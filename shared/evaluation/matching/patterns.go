package matching

import (
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/opsplane/opsplane/shared/repoconfig"
)

// Patterns are the patterns of changed files of one dirspace. A file counts if one of
// Wanted matches it, and none of Excluded.
type Patterns struct {
	Wanted, Excluded []string
	// At is where they stand.
	At repoconfig.Position
}

// Variables of patterns.
const (
	dirVariable       = "${DIR}"
	workspaceVariable = "${WORKSPACE}"
)

// defaultPatterns are those of a file that has none.
var defaultPatterns = []string{"${DIR}/*.tf", "${DIR}/*.tfvars"}

// globalPatterns returns the patterns of the file, each relative to the directory if it
// begins with * (orchestration, 8.2).
func globalPatterns(c *repoconfig.Config) []string {
	if c.WhenModified.FilePatterns == nil {
		return defaultPatterns
	}
	made := make([]string, len(c.WhenModified.FilePatterns))
	for i, pattern := range c.WhenModified.FilePatterns {
		rest, excluded := strings.CutPrefix(pattern, "!")
		switch {
		case strings.HasPrefix(rest, "**/"):
			rest = dirVariable + "/" + strings.TrimPrefix(rest, "**/")
		case strings.HasPrefix(rest, "*"):
			rest = dirVariable + "/" + rest
		}
		if excluded {
			rest = "!" + rest
		}
		made[i] = rest
	}
	return made
}

// newPatterns returns patterns with their variables replaced.
func newPatterns(list []string, dir, workspace string, at repoconfig.Position) Patterns {
	replace := strings.NewReplacer(dirVariable, literal(dir), workspaceVariable, literal(workspace))
	made := Patterns{At: at}
	for _, pattern := range list {
		rest, excluded := strings.CutPrefix(pattern, "!")
		rest = path.Clean(replace.Replace(rest))
		if excluded {
			made.Excluded = append(made.Excluded, rest)
		} else {
			made.Wanted = append(made.Wanted, rest)
		}
	}
	return made
}

// literal returns a pattern that matches a name only.
func literal(name string) string {
	if !strings.ContainsAny(name, `*?[]{}\`) {
		return name
	}
	var b strings.Builder
	for _, c := range name {
		if strings.ContainsRune(`*?[]{}\`, c) {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// files are paths in which patterns are looked for. Many dirspaces share a pattern, so
// what matches it is remembered.
type files struct {
	sorted []string
	known  map[string][]int
}

func newFiles(list []string) *files {
	sorted := slices.Clone(list)
	slices.Sort(sorted)
	return &files{sorted: slices.Compact(sorted), known: map[string][]int{}}
}

// matching returns the places of the files that match a pattern.
func (f *files) matching(pattern string) []int {
	if found, ok := f.known[pattern]; ok {
		return found
	}
	var found []int
	from, to := 0, len(f.sorted)
	if base, _ := doublestar.SplitPattern(pattern); base != "." {
		// A file below a directory without special characters has its path as prefix.
		prefix := base + "/"
		from = sort.SearchStrings(f.sorted, prefix)
		to = from + sort.Search(len(f.sorted)-from, func(i int) bool { return !strings.HasPrefix(f.sorted[from+i], prefix) })
	}
	for i := from; i < to; i++ {
		if doublestar.MatchUnvalidated(pattern, f.sorted[i]) {
			found = append(found, i)
		}
	}
	f.known[pattern] = found
	return found
}

// first returns the first file that counts for patterns, with the pattern that wants it.
func (f *files) first(p Patterns) (file, pattern string, ok bool) {
	for _, wanted := range p.Wanted {
		for _, i := range f.matching(wanted) {
			excluded := slices.ContainsFunc(p.Excluded, func(x string) bool {
				_, is := slices.BinarySearch(f.matching(x), i)
				return is
			})
			if !excluded {
				return f.sorted[i], wanted, true
			}
		}
	}
	return "", "", false
}
