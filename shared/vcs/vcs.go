// Package vcs holds the nouns of version control systems: which one, an
// account there, an installation, a repository, a pull request, and the version
// of a fact that is told of one of these. The package is pure: no I/O, no AWS,
// no client of a host. Its invariant: the types differ, so that no two ids can
// be exchanged by mistake, and each has exactly one text form.
package vcs

import (
	"fmt"
	"slices"
)

// VCS names a version control system, as it stands in paths and in stored items.
type VCS string

// The version control systems that are supported.
const (
	GitHub VCS = "github"
	GitLab VCS = "gitlab"
)

// labels are the names that people read.
var labels = map[VCS]string{GitHub: "GitHub", GitLab: "GitLab"}

// All returns the supported systems, in the order of their names.
func All() []VCS { return []VCS{GitHub, GitLab} }

// Valid reports whether v is supported.
func (v VCS) Valid() bool { return slices.Contains(All(), v) }

// Label returns the name that people read, such as "GitHub"; of one that is not
// supported its text.
func (v VCS) Label() string {
	if label, ok := labels[v]; ok {
		return label
	}
	return string(v)
}

// MaxID is the largest number of digits that an ID has: hosts count in signed
// 64-bit integers.
const MaxID = 19

// ID is the number that a host gave to an account, an installation or a
// repository: 1 to MaxID decimal digits, the first of which is not 0.
type ID string

// ParseID returns the ID that a text is, or an error that says what an ID is.
func ParseID(text string) (ID, error) {
	if !ID(text).Valid() {
		return "", fmt.Errorf("%.40q is not an id of a host; it is a number of at most %d digits that begins with none of 0, + and -", text, MaxID)
	}
	return ID(text), nil
}

// Valid reports whether id has the form of one.
func (id ID) Valid() bool {
	if id == "" || len(id) > MaxID || id[0] == '0' {
		return false
	}
	for _, c := range []byte(id) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// sortableDigits is the width of Sortable. Stored keys have it.
const sortableDigits = 20

// Sortable returns the id with leading zeros, so that the order of texts is that
// of numbers.
func (id ID) Sortable() string { return fmt.Sprintf("%0*s", sortableDigits, string(id)) }

// Compare orders ids as numbers: negative if id is smaller than other.
func (id ID) Compare(other ID) int {
	if len(id) != len(other) {
		return len(id) - len(other)
	}
	return slices.Compare([]byte(id), []byte(other))
}
