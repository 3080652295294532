package source

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Wanted says what is to be loaded of a repository.
type Wanted struct {
	// Commit is worked on. Default is the default branch, whose configuration keeps some
	// keys for itself.
	Commit  string
	Default vcshost.Branch
	// Source and Destination are the names of the branches. They are equal for drift.
	Source, Destination string
	// Base and Head are the commits that are compared. They are empty if All is set.
	Base, Head string
	// Applied are the dirspaces that the pull request applied at earlier commits.
	Applied []run.Dirspace
	// All makes every dirspace a member of the change set, as for drift.
	All bool
}

// Loaded is a repository with its configuration, and what a change touches.
type Loaded struct {
	// Mistakes are those of the configuration, or of how it fits the files. If there are
	// any, the rest is nil.
	Mistakes repoconfig.Mistakes
	Config   *repoconfig.Config
	// Tree, Set and Changed are nil if the configuration disables this server.
	Tree *matching.Repository
	Set  *matching.ChangeSet
	// Guard has the dirspaces as the configuration of the default branch describes them. It
	// is nil if the change does not touch the configuration. The rules about who may do what
	// count for both descriptions, so nobody escapes a rule by another tag.
	Guard *matching.Repository
	// Changed are the paths that differ, in byte order. It is nil if All was wanted.
	Changed []string
}

// Load reads a repository at a commit, and finds what a change touches.
func (s Source) Load(ctx context.Context, host Contents, p Place, w Wanted) (Loaded, error) {
	at, err := s.At(ctx, host, p, w.Commit)
	if err != nil || len(at.Mistakes) > 0 {
		return Loaded{Mistakes: at.Mistakes}, err
	}
	made := Loaded{}
	var base *repoconfig.Config
	if w.Commit == w.Default.SHA {
		made.Config, err = repoconfig.LoadDefaultBranch(at.Config)
	} else {
		file, mistakes, reading := s.ConfigAt(ctx, host, p, w.Default)
		if reading != nil || len(mistakes) > 0 {
			return Loaded{Mistakes: mistakes}, reading
		}
		if made.Config, err = repoconfig.Load(at.Config, file); err == nil {
			base, err = repoconfig.LoadDefaultBranch(file)
		}
	}
	if err != nil {
		return mistaken(err)
	}
	if !made.Config.Enabled {
		return made, nil
	}
	if !w.All {
		var mistakes repoconfig.Mistakes
		if made.Changed, mistakes, err = s.Changed(ctx, host, p, w.Base, w.Head); err != nil || len(mistakes) > 0 {
			return Loaded{Mistakes: mistakes}, err
		}
	}
	if made.Tree, err = matching.New(matching.Input{Config: made.Config, Files: at.Files, Source: w.Source, Destination: w.Destination}); err != nil {
		return mistaken(err)
	}
	if made.Set, err = made.Tree.ChangeSet(matching.Change{Files: made.Changed, Applied: w.Applied, All: w.All}); err != nil {
		return mistaken(err)
	}
	if base != nil && slices.ContainsFunc(made.Changed, func(path string) bool { return path == repoconfig.Path || path == repoconfig.AlternativePath }) {
		// Its mistakes are those of the default branch with other files: the head's own
		// description counts alone then.
		made.Guard, _ = matching.New(matching.Input{Config: base, Files: at.Files, Source: w.Source, Destination: w.Destination})
	}
	if mistakes := unfit(made.Set, made.Config); len(mistakes) > 0 {
		return Loaded{Mistakes: mistakes}, nil
	}
	return made, nil
}

// mistaken returns mistakes as data.
func mistaken(err error) (Loaded, error) {
	var mistakes repoconfig.Mistakes
	if errors.As(err, &mistakes) {
		return Loaded{Mistakes: mistakes}, nil
	}
	return Loaded{}, err
}

// unfit returns a mistake for each workflow whose texts no run can hold, after the
// variables of the stacks were replaced.
func unfit(set *matching.ChangeSet, c *repoconfig.Config) repoconfig.Mistakes {
	var made repoconfig.Mistakes
	seen := map[int]bool{}
	for _, m := range set.Members {
		if m.Workflow == matching.NoWorkflow || seen[m.Workflow] {
			continue
		}
		for _, text := range []struct {
			key, value string
			most       int
		}{{"environment", m.Environment, run.MaxText}, {"runs_on", m.RunsOn, run.MaxRunsOn}} {
			if len(text.value) > text.most {
				seen[m.Workflow] = true
				made = append(made, repoconfig.Mistake{
					At: c.Workflows[m.Workflow].At, Path: fmt.Sprintf("workflows[%d].%s", m.Workflow, text.key),
					Problem: fmt.Sprintf("it has %d bytes for %s; at most %d are possible", len(text.value), m.Dirspace, text.most),
				})
			}
		}
	}
	return made
}
