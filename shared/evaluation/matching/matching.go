// Package matching finds out which dirspaces a repository has, and which of them a
// change touches. The package is pure.
//
// Its invariants:
//
//   - The same configuration, files and branches always give the same dirspaces, in the
//     order of their directories and workspaces.
//   - Each dirspace tells which entry of the configuration made it, and each member of a
//     change set tells why it is one.
package matching

import (
	"fmt"
	"slices"

	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
)

// Input is what the dirspaces of a repository follow from.
type Input struct {
	Config *repoconfig.Config
	// Files are the paths of all files at the commit, with / between their parts.
	Files []string
	// Source and Destination are the names of the branches.
	Source, Destination string
}

// Repository has the dirspaces of a repository at one commit.
type Repository struct {
	// Dirspaces are in the order of run.Dirspace.Compare.
	Dirspaces []*Dirspace

	config *repoconfig.Config
	stacks stacks
	at     map[run.Dirspace]*Dirspace
}

// Dirspace is a dirspace with all that the configuration says of it.
type Dirspace struct {
	run.Dirspace
	// Tags are in byte order.
	Tags []string
	// Entry is the entry of dirs that has settings for the directory. It is empty if
	// the directory was found by the patterns of the file.
	Entry string
	// At is where that entry stands.
	At repoconfig.Position
	// Patterns are the patterns of changed files, with their variables replaced.
	Patterns Patterns
	// Autoplan and AutoplanDraft say whether a push plans it by itself. Autoapply says
	// whether a merge applies it by itself.
	Autoplan, AutoplanDraft, Autoapply bool
	// DependsOn is the query of the dirspaces that come first. It may be nil.
	DependsOn *repoconfig.Query
	// PruneOnNoChange leaves the dirspace out if only a dependency pulled it in.
	PruneOnNoChange bool
	// Stack is the stack that it belongs to. Enclosing are the stacks around that one,
	// from the inside.
	Stack     string
	Enclosing []string
	// Variables are those of its stacks. The inner ones win.
	Variables map[string]string
	// Workflow is the place of its workflow in the configuration, or NoWorkflow.
	Workflow int
	// Environment has the variables replaced.
	Environment, RunsOn string
	LockPolicy          repoconfig.LockPolicy
	// LockDestBranchOnly says that its lock keeps only those pull requests away that
	// have the same destination branch.
	LockDestBranchOnly bool

	tags map[string]bool
}

// NoWorkflow is the place of the built-in workflow.
const NoWorkflow = -1

// Find returns a dirspace of the repository, or nil.
func (r *Repository) Find(d run.Dirspace) *Dirspace { return r.at[d] }

// New finds the dirspaces of a repository. An error is of type repoconfig.Mistakes: the
// configuration does not fit the files.
func New(in Input) (*Repository, error) {
	if m, bad := tooManyStacks(in.Config.Stacks); bad {
		return nil, repoconfig.Mistakes{m}
	}
	r := &Repository{config: in.Config, stacks: newStacks(in.Config.Stacks), at: map[run.Dirspace]*Dirspace{}}
	if m, bad := r.stacks.tooManyPaths(in.Config.Stacks); bad {
		return nil, repoconfig.Mistakes{m}
	}
	global := globalPatterns(in.Config)
	branchTags := branchTags(in)
	dirs := findDirs(in, global)
	if m, bad := tooMuch(in.Config, dirs, len(global)); bad {
		return nil, repoconfig.Mistakes{m}
	}
	var mistakes repoconfig.Mistakes
	for _, dir := range dirs {
		for _, d := range dir.dirspaces(in.Config, global, branchTags) {
			if r.at[d.Dirspace] != nil {
				mistakes = append(mistakes, repoconfig.Mistake{
					At: d.At, Path: "dirs", Problem: fmt.Sprintf("%s stands twice, as a workspace and as a stack; remove one", d),
				})
				continue
			}
			if problem := r.stacks.assign(d); problem != "" && len(mistakes) < maxMistakes {
				mistakes = append(mistakes, repoconfig.Mistake{At: r.stacks.position(), Path: "stacks.names", Problem: problem})
			}
			r.workflow(d)
			r.Dirspaces, r.at[d.Dirspace] = append(r.Dirspaces, d), d
		}
	}
	if len(mistakes) > 0 {
		return nil, mistakes
	}
	slices.SortFunc(r.Dirspaces, func(a, b *Dirspace) int { return a.Compare(b.Dirspace) })
	return r, nil
}

// maxMistakes is how many mistakes are told at once.
const maxMistakes = 20

// branchTags returns the tags that the branches give to all dirspaces.
func branchTags(in Input) []string {
	var made []string
	for _, of := range []struct {
		prefix, branch string
		list           []repoconfig.BranchTag
	}{{"branch:", in.Source, in.Config.BranchTags}, {"dest_branch:", in.Destination, in.Config.DestBranchTags}} {
		i := slices.IndexFunc(of.list, func(t repoconfig.BranchTag) bool { return repoconfig.MatchLua(t.Pattern, of.branch) })
		if i >= 0 {
			made = append(made, of.prefix+of.list[i].Tag)
		}
	}
	return made
}

// workflow gives a dirspace the first workflow that matches it.
func (r *Repository) workflow(d *Dirspace) {
	d.Workflow, d.LockPolicy = NoWorkflow, repoconfig.LockStrict
	for i, w := range r.config.Workflows {
		if d.Matches(w.Query) {
			d.Workflow, d.LockPolicy, d.RunsOn = i, w.LockPolicy, w.RunsOn
			d.Environment = expand(w.Environment, d.Variables)
			return
		}
	}
}
