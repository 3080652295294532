package gitrepo

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// Commit is a commit to be made.
type Commit struct {
	// Branch gets the commit. If there is no such branch, it is made.
	Branch string
	// From is the parent: the id of a commit, or refs/heads/ and the name of a branch. If it
	// is empty, it is the commit of the branch. A commit without either has no parent.
	From string
	// Message may be empty.
	Message   string
	Signature Signature
	// Write are the contents of the files that change, by path.
	Write map[string]string
	// Remove are the paths of the files and folders that are removed.
	Remove []string
}

// Commit makes a commit and returns its id. With a parent that is not the commit of the
// branch, the branch moves to the new commit, as with a forced push.
func (r *Repository) Commit(c Commit) (string, error) {
	r.writes.Lock()
	defer r.writes.Unlock()
	if c.From == "" {
		head, err := r.Head(c.Branch)
		if err != nil && !errors.Is(err, ErrUnknown) {
			return "", err
		}
		c.From = head
	}
	return r.fastImport([]Commit{c})
}

// fastImport makes all objects of commits in one process, and returns the id of the last one.
func (r *Repository) fastImport(commits []Commit) (string, error) {
	var in bytes.Buffer
	in.WriteString("feature done\n")
	for _, c := range commits {
		message := cmp.Or(c.Message, "Change the files")
		fmt.Fprintf(&in, "commit refs/heads/%s\nmark :1\ncommitter %s\ndata %d\n%s\n", c.Branch, c.Signature.line(), len(message), message)
		if c.From != "" {
			fmt.Fprintf(&in, "from %s\n", c.From)
		}
		for _, path := range c.Remove {
			fmt.Fprintf(&in, "D %s\n", quoted(path))
		}
		for _, path := range slices.Sorted(maps.Keys(c.Write)) {
			fmt.Fprintf(&in, "M 100644 inline %s\ndata %d\n%s\n", quoted(path), len(c.Write[path]), c.Write[path])
		}
		in.WriteString("\n")
	}
	in.WriteString("get-mark :1\ndone\n")
	return r.run(nil, &in, "fast-import", "--quiet", "--force")
}

// quoted returns a path as git fast-import reads it.
func quoted(path string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(path) + `"`
}

// Tree returns the contents of the files of a file system, by path.
func Tree(files fs.FS) (map[string]string, error) {
	all := map[string]string{}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		all[name] = string(text)
		return err
	})
	return all, err
}

// SetBranch makes a branch, or moves it to another commit.
func (r *Repository) SetBranch(name, commit string) error {
	r.writes.Lock()
	defer r.writes.Unlock()
	_, err := r.git("update-ref", "refs/heads/"+name, commit)
	return err
}

// DeleteBranch deletes a branch. It returns ErrUnknown if there is none.
func (r *Repository) DeleteBranch(name string) error {
	r.writes.Lock()
	defer r.writes.Unlock()
	if _, err := r.Head(name); err != nil {
		return err
	}
	_, err := r.git("update-ref", "-d", "refs/heads/"+name)
	return err
}
