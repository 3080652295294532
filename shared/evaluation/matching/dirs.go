package matching

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
)

// defaultWorkspace is the workspace of a directory for which the configuration names
// none.
const defaultWorkspace = "default"

// dir is a directory with dirspaces.
type dir struct {
	path string
	// entry has its settings. It is nil if no entry of dirs is for it.
	entry *repoconfig.Dir
}

// findDirs returns the directories of the repository that have dirspaces, in byte order
// (orchestration, 8.1).
func findDirs(in Input, global []string) []dir {
	// all are the directories that exist. direct are those that have files themselves.
	all, direct := map[string]bool{run.Root: true}, map[string]bool{}
	for _, file := range in.Files {
		parent := path.Dir(file)
		direct[parent] = true
		for d := parent; !all[d]; d = path.Dir(d) {
			all[d] = true
		}
	}
	found := map[string]*repoconfig.Dir{}
	for i := range in.Config.Dirs {
		entry := &in.Config.Dirs[i]
		if !isPattern(entry.Key) {
			if d := path.Clean(entry.Key); all[d] {
				found[d] = entry
			}
		}
	}
	for d, entry := range matchedByPatterns(in, found) {
		found[d] = entry
	}
	for d := range matchedByGlobal(in.Files, direct, global) {
		if _, known := found[d]; !known {
			found[d] = nil
		}
	}
	list := make([]dir, 0, len(found))
	for d, entry := range found {
		list = append(list, dir{d, entry})
	}
	slices.SortFunc(list, func(a, b dir) int { return strings.Compare(a.path, b.path) })
	return list
}

// isPattern reports whether a key of dirs is a pattern of file paths.
func isPattern(key string) bool { return strings.Contains(key, "*") }

// matchedByPatterns returns the directories that have a file that a pattern of dirs
// matches. The longest pattern wins, then the first one. A directory with an entry of its
// own is left out.
func matchedByPatterns(in Input, literal map[string]*repoconfig.Dir) map[string]*repoconfig.Dir {
	var patterns []*repoconfig.Dir
	for i := range in.Config.Dirs {
		if entry := &in.Config.Dirs[i]; isPattern(entry.Key) {
			patterns = append(patterns, entry)
		}
	}
	slices.SortStableFunc(patterns, func(a, b *repoconfig.Dir) int { return cmp.Compare(len(b.Key), len(a.Key)) })
	made := map[string]*repoconfig.Dir{}
	if len(patterns) == 0 {
		return made
	}
	all := newFiles(in.Files)
	for _, entry := range patterns {
		for _, i := range all.matching(path.Clean(entry.Key)) {
			d := path.Dir(all.sorted[i])
			if literal[d] == nil && made[d] == nil {
				made[d] = entry
			}
		}
	}
	return made
}

// matchedByGlobal returns the directories that have a file that the patterns of the file
// match. If one of these does not begin with the directory, each directory with a file is
// one.
func matchedByGlobal(list []string, direct map[string]bool, global []string) map[string]bool {
	if len(global) == 0 {
		return nil
	}
	var wanted, excluded []string
	for _, pattern := range global {
		rest, not := strings.CutPrefix(pattern, "!")
		below, own := strings.CutPrefix(rest, dirVariable+"/")
		switch {
		case !own || strings.HasPrefix(path.Clean(below), "..") || strings.Contains(below, "${"):
			return direct
		case not:
			excluded = append(excluded, path.Clean(below))
		default:
			wanted = append(wanted, path.Clean(below))
		}
	}
	deep := slices.ContainsFunc(wanted, func(p string) bool { return strings.Contains(p, "/") || strings.Contains(p, "**") })
	matches := func(patterns []string, name string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { return doublestar.MatchUnvalidated(p, name) })
	}
	made := map[string]bool{}
	for _, file := range list {
		for d := path.Dir(file); ; d = path.Dir(d) {
			if name := below(d, file); !made[d] && matches(wanted, name) && !matches(excluded, name) {
				made[d] = true
			}
			if d == run.Root || !deep {
				break
			}
		}
	}
	return made
}

// below returns the path of a file from one of the directories above it.
func below(dir, file string) string {
	if dir == run.Root {
		return file
	}
	return file[len(dir)+1:]
}

// settings returns the settings of a directory.
func (d dir) settings() *repoconfig.Dir {
	if d.entry == nil {
		return &repoconfig.Dir{}
	}
	return d.entry
}

// oneWorkspace are the workspaces of a directory for which the configuration names none.
var oneWorkspace = []repoconfig.Workspace{{Name: defaultWorkspace}}

// workspaces returns the workspaces of a directory.
func (d dir) workspaces() []repoconfig.Workspace {
	if named := d.settings().Workspaces; len(named) > 0 {
		return named
	}
	return oneWorkspace
}

// dirspaces returns the dirspaces of a directory, without those whose path cannot be one.
func (d dir) dirspaces(c *repoconfig.Config, global, branchTags []string) []*Dirspace {
	entry := d.settings()
	var made []*Dirspace
	for _, w := range d.workspaces() {
		of, err := run.NewDirspace(d.path, w.Name)
		if err != nil {
			continue // no runner can work on it
		}
		levels := []repoconfig.WhenModified{w.WhenModified, entry.WhenModified, c.WhenModified}
		each := &Dirspace{Dirspace: of, Entry: entry.Key, At: entry.At, LockDestBranchOnly: entry.LockDestBranchOnly}
		each.whenModified(levels, global)
		kind := workspaceTag
		if w.Stack {
			kind = stackTag
		}
		each.setTags(slices.Concat([]string{dirTag + of.Dir, kind + w.Name}, entry.Tags, w.Tags, branchTags)...)
		made = append(made, each)
	}
	return made
}

// whenModified sets what the levels say, from the innermost: the first that says
// something counts.
func (d *Dirspace) whenModified(levels []repoconfig.WhenModified, global []string) {
	flag := func(of func(repoconfig.WhenModified) *bool, fallback bool) bool {
		for _, level := range levels {
			if given := of(level); given != nil {
				return *given
			}
		}
		return fallback
	}
	d.Autoplan = flag(func(w repoconfig.WhenModified) *bool { return w.Autoplan }, true)
	d.AutoplanDraft = flag(func(w repoconfig.WhenModified) *bool { return w.AutoplanDraft }, true)
	d.Autoapply = flag(func(w repoconfig.WhenModified) *bool { return w.Autoapply }, false)
	patterns, at := global, levels[len(levels)-1].PatternsAt
	for _, level := range levels[:len(levels)-1] {
		if level.FilePatterns != nil {
			patterns, at = level.FilePatterns, level.PatternsAt
			break
		}
	}
	d.Patterns = newPatterns(patterns, d.Dir, d.Workspace, at)
	for _, level := range levels {
		if q := level.DependsOn; q != nil {
			own := *q
			own.Expr = resolve(q.Expr, d.Dir)
			d.DependsOn, d.PruneOnNoChange = &own, level.PruneOnNoChange
			break
		}
	}
}
