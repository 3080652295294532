package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/evaluation/explain"
	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/repoconfig"
)

// explainChange says what a change of a working copy would plan, and why. It needs no
// stack.
func (o *Operator) explainChange(ctx context.Context, args []string) error {
	own := flags("explain")
	dir := own.String("repo", ".", "")
	changed := own.String("changed", "", "")
	base := own.String("base", "", "")
	source, destination := own.String("branch", "", ""), own.String("into", "main", "")
	if _, err := parse(own, args); err != nil {
		return err
	}
	if (*changed == "") == (*base == "") {
		return usagef("either --changed names the changed files, or --base the commit with which the working copy is compared")
	}
	w := workingCopy{*dir}
	files, err := w.files(ctx)
	if err != nil {
		return err
	}
	names := strings.Split(*changed, ",")
	if *base != "" {
		if names, err = w.changed(ctx, *base); err != nil {
			return err
		}
	}
	config, err := w.config(ctx, *base)
	if err != nil {
		return err
	}
	tree, err := matching.New(matching.Input{Config: config, Files: files, Source: *source, Destination: *destination})
	if err != nil {
		return err
	}
	set, err := tree.ChangeSet(matching.Change{Files: names})
	if err != nil {
		return err
	}
	return o.sayReasons(config, tree, set)
}

func (o *Operator) sayReasons(config *repoconfig.Config, tree *matching.Repository, set *matching.ChangeSet) error {
	reasons := explain.All(tree, set)
	for layer := 1; layer <= set.Layers; layer++ {
		when := "planned"
		if layer > 1 {
			when = fmt.Sprintf("planned when part %d is applied", layer-1)
		}
		if err := o.say("part %d of %d, %s:", layer, set.Layers, when); err != nil {
			return err
		}
		for _, r := range reasons {
			if !r.Planned || r.Layer != layer {
				continue
			}
			if err := o.say("  %s: %s (%s)\n      stack %s, %s, lock %s", printable(r.String()), printable(r.Why), printable(r.At.String()), printable(r.Stack), workflow(config, r.Dirspace), r.LockPolicy); err != nil {
				return err
			}
		}
	}
	first := slices.DeleteFunc(slices.Clone(set.Members), func(m *matching.Member) bool { return m.Layer > 0 })
	if err := o.say("%d of %d dirspaces; part 1 takes %d runs", len(set.Members), len(tree.Dirspaces), len(rules.Batches(first, config.Batch))); err != nil {
		return err
	}
	for _, r := range reasons {
		if !r.Planned {
			if err := o.say("  not planned: %s: %s (%s)", printable(r.String()), printable(r.Why), printable(r.At.String())); err != nil {
				return err
			}
		}
	}
	return nil
}

func workflow(config *repoconfig.Config, d *matching.Dirspace) string {
	if d.Workflow == matching.NoWorkflow {
		return "the usual workflow"
	}
	text := fmt.Sprintf("workflow %d (%s)", d.Workflow+1, printable(config.Workflows[d.Workflow].At.String()))
	if d.Environment != "" {
		text += ", environment " + printable(d.Environment)
	}
	return text
}

// workingCopy is a folder with a repository.
type workingCopy struct{ dir string }

// git runs a git command and returns its output.
func (w workingCopy) git(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", w.dir}, args...)...)
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(problem.String()))
	}
	return out, nil
}

// files returns the files of the working copy: those that git knows or would add, or all
// if it is no working copy of git.
func (w workingCopy) files(ctx context.Context) ([]string, error) {
	if _, err := os.Stat(filepath.Join(w.dir, ".git")); err == nil {
		out, err := w.git(ctx, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
		return lines(out), err
	}
	var found []string
	err := filepath.WalkDir(w.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && entry.Name() == ".terraform" {
			return fs.SkipDir
		}
		if entry.IsDir() {
			return nil
		}
		name, err := filepath.Rel(w.dir, path)
		found = append(found, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		return nil, usagef("--repo %s cannot be read: %v", printable(w.dir), err)
	}
	return found, nil
}

// changed returns the files that differ from where the working copy left a commit.
func (w workingCopy) changed(ctx context.Context, base string) ([]string, error) {
	if strings.HasPrefix(base, "-") {
		return nil, usagef("--base is a commit or a branch, such as main")
	}
	from, err := w.git(ctx, "merge-base", base, "HEAD")
	if err != nil {
		return nil, err
	}
	out, err := w.git(ctx, "diff", "--name-only", "--no-renames", "-z", strings.TrimSpace(string(from)), "--")
	return lines(out), err
}

// config reads the configuration. With a base, that of the base gives the keys that a pull
// request cannot change.
func (w workingCopy) config(ctx context.Context, base string) (*repoconfig.Config, error) {
	own := repoconfig.File{Name: repoconfig.Path}
	for _, name := range []string{repoconfig.Path, repoconfig.AlternativePath} {
		text, err := os.ReadFile(filepath.Join(w.dir, filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		own = repoconfig.File{Name: name, Text: text}
		break
	}
	if base == "" {
		return repoconfig.LoadDefaultBranch(own)
	}
	for _, name := range []string{repoconfig.Path, repoconfig.AlternativePath} {
		if text, err := w.git(ctx, "show", base+":"+name); err == nil {
			return repoconfig.Load(own, repoconfig.File{Name: name + " (" + base + ")", Text: text})
		}
	}
	return repoconfig.Load(own, repoconfig.File{Name: repoconfig.Path + " (" + base + ")"})
}

// lines returns the names of an output that has a NUL behind each.
func lines(out []byte) []string {
	return strings.FieldsFunc(string(out), func(c rune) bool { return c == 0 })
}
