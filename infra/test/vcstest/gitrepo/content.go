package gitrepo

import (
	"cmp"
	"errors"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
)

// Content is a repository as the stand-ins of the hosts use it. It implements
// vcstest.Content, and what people do with a repository (Commit and SetBranch).
type Content struct {
	Repository *Repository
	// Now returns the time of new commits. Nil stands for a fixed time.
	Now func() time.Time
	// Report is called with an error that means that git itself failed. Nil stands for a
	// panic. The stand-ins go on as if the thing did not exist.
	Report func(error)
}

// by returns the signature of new commits.
func (c Content) by() Signature {
	if c.Now == nil {
		return Signature{}
	}
	return Signature{At: c.Now()}
}

// ok reports whether there was no error. It reports an error that is not one of those that
// the caller expects.
func (c Content) ok(err error) bool {
	switch {
	case err == nil:
		return true
	case errors.Is(err, ErrUnknown) || errors.Is(err, ErrConflict):
	case c.Report != nil:
		c.Report(err)
	default:
		panic(err)
	}
	return false
}

// Branch implements vcstest.Content.
func (c Content) Branch(name string) (string, bool) {
	id, err := c.Repository.Head(name)
	return id, c.ok(err)
}

// DeleteBranch implements vcstest.Content.
func (c Content) DeleteBranch(name string) bool { return c.ok(c.Repository.DeleteBranch(name)) }

// Files implements vcstest.Content.
func (c Content) Files(commit string) ([]vcstest.File, bool) {
	files, err := c.Repository.Files(commit)
	return files, c.ok(err)
}

// Read implements vcstest.Content.
func (c Content) Read(commit, path string) ([]byte, bool) {
	text, err := c.Repository.Read(commit, path)
	return text, c.ok(err)
}

// MergeBase implements vcstest.Content.
func (c Content) MergeBase(a, b string) (string, bool) {
	id, err := c.Repository.MergeBase(a, b)
	return id, c.ok(err) && id != ""
}

// Mergeable implements vcstest.Content.
func (c Content) Mergeable(into, head string) bool {
	_, err := c.Repository.MergedTree(into, head)
	return c.ok(err)
}

// Merge implements vcstest.Content.
func (c Content) Merge(branch, head, method, title string) (string, bool) {
	id, err := c.Repository.Merge(Merge{Into: branch, Head: head, Method: Method(method), Message: cmp.Or(title, "Merge "+head), Signature: c.by()})
	return id, c.ok(err)
}

// Commit makes a commit on a branch and returns its id. The files are those of the branch, with
// changes by path: a nil content removes the file. A branch that does not exist is made, without
// files.
func (c Content) Commit(branch string, changes map[string][]byte) string {
	made := Commit{Branch: branch, Signature: c.by(), Write: map[string]string{}}
	for path, text := range changes {
		if text == nil {
			made.Remove = append(made.Remove, path)
			continue
		}
		made.Write[path] = string(text)
	}
	id, err := c.Repository.Commit(made)
	c.ok(err)
	return id
}

// SetBranch makes a branch at a commit, or moves it there.
func (c Content) SetBranch(name, commit string) { c.ok(c.Repository.SetBranch(name, commit)) }
