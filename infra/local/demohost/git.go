package demohost

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"

	"github.com/opsplane/opsplane/infra/test/testrunner"
	"github.com/opsplane/opsplane/infra/test/vcstest/gitrepo"
)

// tree holds the files of every repository: those of the branch main, those that each host
// needs beside them, and for each other branch the files that differ.
//
//go:embed all:tree
var tree embed.FS

// branch is a branch that every repository has beside main.
type branch struct {
	name string
	// files is the folder of tree with the files that differ from main. It may be empty.
	files string
	// fault is what the runner does wrong there.
	fault testrunner.Fault
}

// branches begin at main. Those below runner/ show what happens to a run whose runner does
// not do its work.
var branches = []branch{
	{name: "feature/bucket"},
	{name: "limits", files: "limits"},
	{name: "cluster", files: "limits"},
	{name: "peering", files: "limits"},
	{name: "broken", files: "broken"},
	{name: "runner/dies", files: "faults", fault: testrunner.DieBeforeReport},
	{name: "runner/hangs", files: "faults", fault: testrunner.WaitForEnd},
	{name: "runner/lies", files: "faults", fault: testrunner.ReportNonsense},
	{name: "runner/hook", files: "faults", fault: testrunner.FailHook},
	{name: "runner/repeats", files: "faults", fault: testrunner.Repeat},
}

// faultOf returns what the runner does wrong on a branch.
func faultOf(name string) testrunner.Fault {
	i := slices.IndexFunc(branches, func(b branch) bool { return b.name == name })
	if i < 0 {
		return ""
	}
	return branches[i].fault
}

// checkouts are the git repositories of the hosts, by "host/owner/name".
type checkouts map[string]*gitrepo.Repository

// openRepositories opens the git repositories below a folder, and makes those that are
// missing. extras are the folders of tree that they have beside main, by "host/owner/name". A
// folder may be empty.
func openRepositories(folder string, extras map[string]string) (checkouts, error) {
	all := checkouts{}
	var failed error
	var mu sync.Mutex // of both
	var making sync.WaitGroup
	for name, extra := range extras {
		making.Go(func() {
			r, err := openRepository(filepath.Join(folder, filepath.FromSlash(name)+".git"), extra)
			mu.Lock()
			defer mu.Unlock()
			all[name] = r
			if err != nil {
				failed = errors.Join(failed, fmt.Errorf("git repository %s: %w", name, err))
			}
		})
	}
	making.Wait()
	return all, failed
}

func openRepository(dir, extra string) (*gitrepo.Repository, error) {
	r, err := gitrepo.Open(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	first, err := files("main", extra)
	if err != nil {
		return nil, err
	}
	commits := []gitrepo.Commit{{Branch: gitrepo.DefaultBranch, Message: "Begin", Write: first}}
	for _, b := range branches {
		different, err := files(b.files)
		if err != nil {
			return nil, err
		}
		commits = append(commits, gitrepo.Commit{Branch: b.name, From: "refs/heads/" + gitrepo.DefaultBranch, Message: "Begin " + b.name, Write: different})
	}
	// The folder gets its name when it is complete: a start may be interrupted.
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return nil, err
	}
	if _, err := gitrepo.Create(part, commits...); err != nil {
		return nil, err
	}
	if err := os.Rename(part, dir); err != nil {
		return nil, err
	}
	return gitrepo.Open(dir)
}

// files returns the files of folders of tree, by path. A folder without a name has none.
func files(folders ...string) (map[string]string, error) {
	all := map[string]string{}
	for _, folder := range folders {
		if folder == "" {
			continue
		}
		below, err := fs.Sub(tree, path.Join("tree", folder))
		if err != nil {
			return nil, err
		}
		found, err := gitrepo.Tree(below)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, found)
	}
	return all, nil
}
