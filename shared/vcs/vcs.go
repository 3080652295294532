// Package vcs holds the basic types of version control systems: the kind of system,
// an account, an installation, a repository, a pull request, and the version of a
// fact about one of these. The package is pure: no I/O, no AWS, no client of a
// host. Its invariants: the types differ, so that the compiler finds an id in a
// wrong place, and each type has exactly one text form.
package vcs

import (
	"fmt"
	"slices"
)

// VCS names a version control system, as paths and stored items do.
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

// Label returns the name that people read, such as "GitHub". For a VCS that is not
// supported it returns the text of v.
func (v VCS) Label() string {
	if label, ok := labels[v]; ok {
		return label
	}
	return string(v)
}

// MaxID is the maximum number of digits of an ID. Hosts count in signed 64-bit
// integers.
const MaxID = 19

// ID is the number that a host gave to an account, an installation or a repository:
// 1 to MaxID decimal digits. The first digit is not 0.
type ID string

// ParseID returns a text as an ID, or an error that says what an ID is.
func ParseID(text string) (ID, error) {
	if !ID(text).Valid() {
		return "", fmt.Errorf("%.40q is not an id of a host; it is a number of at most %d digits that begins with none of 0, + and -", text, MaxID)
	}
	return ID(text), nil
}

// Valid reports whether id has the form of an ID.
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

// Sortable returns the id with leading zeros, so that texts sort as the numbers do.
func (id ID) Sortable() string { return fmt.Sprintf("%0*s", sortableDigits, string(id)) }

// Compare compares ids as numbers. It returns a negative number if id is smaller
// than other, 0 if they are equal, and a positive number otherwise.
func (id ID) Compare(other ID) int {
	if len(id) != len(other) {
		return len(id) - len(other)
	}
	return slices.Compare([]byte(id), []byte(other))
}
