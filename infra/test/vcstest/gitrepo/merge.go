package gitrepo

import (
	"errors"
	"fmt"
	"strings"
)

// ErrConflict says that two commits have changed the same lines.
var ErrConflict = errors.New("the commits have a conflict")

// Method is how a branch is merged.
type Method string

// The methods.
const (
	// MergeCommit makes a commit with two parents.
	MergeCommit Method = "merge"
	// Squash makes one commit of all changes.
	Squash Method = "squash"
	// Rebase makes each commit again on top of the branch.
	Rebase Method = "rebase"
)

// Merge says what is merged.
type Merge struct {
	// Into is the branch that gets the changes.
	Into string
	// Head is the commit that has them.
	Head   string
	Method Method
	// Message is that of the new commit. It does not count with Rebase.
	Message   string
	Signature Signature
}

// Merge merges, and returns the new commit of the branch. It returns ErrConflict, and changes
// nothing, if there is a conflict. If the branch has all commits of Head already, it stays as
// it is.
func (r *Repository) Merge(m Merge) (string, error) {
	r.writes.Lock()
	defer r.writes.Unlock()
	onto, err := r.Head(m.Into)
	if err != nil {
		return "", err
	}
	base, err := r.MergeBase(onto, m.Head)
	if err != nil || base == m.Head {
		return onto, err
	}
	made, err := r.merge(onto, m)
	if err != nil {
		return "", err
	}
	_, err = r.git("update-ref", "refs/heads/"+m.Into, made, onto)
	return made, err
}

// merge makes the commits of a merge and returns the last one.
func (r *Repository) merge(onto string, m Merge) (string, error) {
	if m.Method == Rebase {
		return r.rebase(onto, m)
	}
	tree, err := r.MergedTree(onto, m.Head)
	if err != nil {
		return "", err
	}
	parents := []string{"-p", onto}
	if m.Method == MergeCommit {
		parents = append(parents, "-p", m.Head)
	}
	return r.commitTree(m.Signature, m.Message, tree, parents...)
}

// rebase makes the commits of a branch again, one after the other.
func (r *Repository) rebase(onto string, m Merge) (string, error) {
	commits, err := r.Commits(onto, m.Head)
	if err != nil {
		return "", err
	}
	for _, commit := range commits {
		parents, err := r.git("rev-list", "--parents", "--no-walk", commit)
		if err != nil {
			return "", err
		}
		fields := strings.Fields(parents)
		if len(fields) != 2 {
			continue // a merge: its changes come from its parents
		}
		// A commit that has the files of onto and the parent of the picked commit makes that
		// parent the merge base: then the merge adds the changes of this one commit.
		ours, err := r.commitTree(m.Signature, "ours", onto+"^{tree}", "-p", fields[1])
		if err != nil {
			return "", err
		}
		tree, err := r.MergedTree(ours, commit)
		if err != nil {
			return "", err
		}
		message, err := r.git("log", "-1", "--format=%B", commit)
		if err == nil {
			onto, err = r.commitTree(m.Signature, strings.TrimSpace(message), tree, "-p", onto)
		}
		if err != nil {
			return "", err
		}
	}
	return onto, nil
}

// merged is the outcome of a merge: a tree, or else a conflict.
type merged struct{ tree string }

// MergedTree returns the tree that a merge of two commits would have, or ErrConflict. It
// changes no branch.
func (r *Repository) MergedTree(base, head string) (string, error) {
	found, err := r.merges.get([2]string{base, head}, func() (merged, error) {
		out, err := r.git("merge-tree", "--write-tree", "--no-messages", "--name-only", base, head)
		switch {
		case exit(err) == 1:
			return merged{}, nil
		case err != nil:
			return merged{}, err
		}
		return merged{out}, nil
	}, small)
	if err == nil && found.tree == "" {
		err = fmt.Errorf("%s and %s: %w", base, head, ErrConflict)
	}
	return found.tree, err
}

// commitTree makes a commit of a tree.
func (r *Repository) commitTree(s Signature, message, tree string, parents ...string) (string, error) {
	id, err := r.git("rev-parse", "--verify", "--quiet", tree)
	if err != nil {
		return "", err
	}
	return r.run(s.env(), strings.NewReader(message+"\n"), append([]string{"commit-tree", id}, parents...)...)
}
