package matching

import (
	"fmt"

	"github.com/opsplane/opsplane/shared/repoconfig"
)

// Bounds of a repository. A small configuration can name very much: each entry of dirs
// stands for many directories, and each stack for many ways down to it.
const (
	// maxDirspaces is the largest number of dirspaces: as many as a stored change set has
	// (changeset.MaxMembers).
	maxDirspaces = 20_000
	// maxPatterns and maxTags are the largest numbers of patterns and of tags from the
	// configuration, of all dirspaces together.
	maxPatterns, maxTags = 1_000_000, 1_000_000
	// maxStacks is the largest number of stacks. A stored change set has one more
	// (changeset.MaxStacks): the default stack.
	maxStacks = 999
	// maxPaths is the largest number of ways from outermost stacks down to one stack.
	maxPaths = 1000
)

// tooMuch returns what is wrong if directories would have more than the bounds allow. It
// makes none of it.
func tooMuch(c *repoconfig.Config, dirs []dir, global int) (m repoconfig.Mistake, bad bool) {
	dirspaces, patterns, tags := 0, 0, 0
	for _, d := range dirs {
		entry := d.settings()
		own := global
		if entry.WhenModified.FilePatterns != nil {
			own = len(entry.WhenModified.FilePatterns)
		}
		for _, w := range d.workspaces() {
			dirspaces++
			tags += len(entry.Tags) + len(w.Tags)
			if w.WhenModified.FilePatterns != nil {
				patterns += len(w.WhenModified.FilePatterns)
			} else {
				patterns += own
			}
			for _, bound := range []struct {
				number, most int
				what         string
			}{{dirspaces, maxDirspaces, "directories with workspaces"}, {patterns, maxPatterns, "file patterns in all directories together"}, {tags, maxTags, "tags in all directories together"}} {
				if bound.number > bound.most {
					return repoconfig.Mistake{At: entry.At, Path: "dirs", Problem: fmt.Sprintf("the repository has more than %d %s; name fewer", bound.most, bound.what)}, true
				}
			}
		}
	}
	return repoconfig.Mistake{}, false
}

// tooManyStacks returns what is wrong if there are more stacks than the bound allows.
func tooManyStacks(list []repoconfig.Stack) (m repoconfig.Mistake, bad bool) {
	if len(list) <= maxStacks {
		return repoconfig.Mistake{}, false
	}
	return repoconfig.Mistake{At: list[maxStacks].At, Path: "stacks.names", Problem: fmt.Sprintf("there are more than %d stacks; name fewer", maxStacks)}, true
}

// tooManyPaths returns what is wrong if a stack has more paths than the bound allows. It
// makes no path.
func (s stacks) tooManyPaths(list []repoconfig.Stack) (m repoconfig.Mistake, bad bool) {
	known := map[string]int{}
	var count func(name string) int
	count = func(name string) int {
		if n, is := known[name]; is {
			return n
		}
		n := 0
		for _, parent := range s.parents[name] {
			n = min(n+count(parent), maxPaths+1) // more does not matter, and could overflow
		}
		known[name] = max(n, 1)
		return known[name]
	}
	for _, each := range list {
		if count(each.Name) > maxPaths {
			return repoconfig.Mistake{At: each.At, Path: "stacks.names", Problem: fmt.Sprintf("more than %d ways lead through other stacks to the stack %.80s; put it in fewer stacks", maxPaths, each.Name)}, true
		}
	}
	return repoconfig.Mistake{}, false
}
