package run

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a dirspace, in bytes. A directory and a workspace are together part of
// sort keys, for which DynamoDB has 1,024 bytes.
const (
	MaxDir       = 512
	MaxWorkspace = 128
)

// MaxDirspaces is the largest number of dirspaces of one run.
const MaxDirspaces = 10_000

// Root is the directory at the top of a repository.
const Root = "."

// Dirspace is a directory of a repository with a workspace. The zero Dirspace is not
// valid: NewDirspace makes Dirspaces.
type Dirspace struct {
	// Dir is relative to the top of the repository, with / between its parts. It is
	// "." for the top itself. It has no part that is empty, "." or "..".
	Dir string
	// Workspace is the name of the workspace, such as "default".
	Workspace string
}

// NewDirspace returns a dirspace with the directory in its one form: "./a//b/"
// becomes "a/b", and "" becomes ".". It refuses a directory outside the repository,
// and texts that are too long or cannot be shown.
func NewDirspace(dir, workspace string) (Dirspace, error) {
	var parts []string
	for part := range strings.SplitSeq(dir, "/") {
		switch part {
		case "", ".":
		case "..":
			return Dirspace{}, fmt.Errorf("the directory %.80q has the part %q; a directory is named from the top of the repository", dir, part)
		default:
			parts = append(parts, part)
		}
	}
	d := Dirspace{Dir: cmp.Or(strings.Join(parts, "/"), Root), Workspace: workspace}
	switch {
	case strings.HasPrefix(dir, "/"):
		return Dirspace{}, fmt.Errorf("the directory %.80q begins with /; a directory is named from the top of the repository", dir)
	case len(d.Dir) > MaxDir:
		return Dirspace{}, fmt.Errorf("the directory %.80q… has %d bytes; at most %d are possible", d.Dir, len(d.Dir), MaxDir)
	case workspace == "":
		return Dirspace{}, fmt.Errorf("the directory %.80q has no workspace; the usual one is named default", dir)
	case len(workspace) > MaxWorkspace:
		return Dirspace{}, fmt.Errorf("the workspace %.80q… has %d bytes; at most %d are possible", workspace, len(workspace), MaxWorkspace)
	case !printable(d.Dir) || !printable(workspace):
		return Dirspace{}, fmt.Errorf("the directory %.80q with the workspace %.80q has characters that cannot be shown", dir, workspace)
	}
	return d, nil
}

// printable reports whether a text is UTF-8 without control characters.
func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// valid reports whether d is in its one form.
func (d Dirspace) valid() bool {
	same, err := NewDirspace(d.Dir, d.Workspace)
	return err == nil && same == d
}

// String returns a text for people, such as "net (default)".
func (d Dirspace) String() string { return d.Dir + " (" + d.Workspace + ")" }

// Compare orders dirspaces by directory, then by workspace, both byte by byte.
func (d Dirspace) Compare(other Dirspace) int {
	return cmp.Or(strings.Compare(d.Dir, other.Dir), strings.Compare(d.Workspace, other.Workspace))
}

// Ancestors returns the directories that contain d, from the top of the repository
// down to the parent: ".", "a" and "a/b" for "a/b/c". The root has none.
func (d Dirspace) Ancestors() []string {
	if d.Dir == Root {
		return nil
	}
	above := []string{Root}
	for i, c := range d.Dir {
		if c == '/' {
			above = append(above, d.Dir[:i])
		}
	}
	return above
}

// SortDirspaces orders dirspaces and removes those that occur twice. It returns the
// same slice, which may be shorter.
func SortDirspaces(list []Dirspace) []Dirspace {
	slices.SortFunc(list, Dirspace.Compare)
	return slices.Compact(list)
}
