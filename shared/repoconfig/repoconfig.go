// Package repoconfig reads the configuration of a repository, .terrateam/config.yml: it
// finds every mistake with its place, merges the files that count, and returns the
// configuration in a typed form. The package is pure.
//
// Its invariants:
//
//   - Every key of a file is understood or refused. A mistake names its file, line and
//     path, and all mistakes of a file come at once.
//   - A pull request cannot change what the default branch keeps for itself: the keys
//     of default_branch_overrides have the value of the default branch.
//   - Each value of the effective configuration tells where it came from.
package repoconfig

import (
	"fmt"
	"strings"
)

// Names of the file, in the order in which they are looked for.
const (
	Path            = ".terrateam/config.yml"
	AlternativePath = ".terrateam/config.yaml"
)

// Limits of a file. Anybody who can open a pull request writes one.
const (
	// MaxBytes is the largest file, in bytes.
	MaxBytes = 1 << 20
	// maxValues bounds the values of a file after its aliases are resolved.
	maxValues = 200_000
	// maxDepth bounds nesting.
	maxDepth = 64
	// maxMistakes is how many mistakes are told at once.
	maxMistakes = 100
)

// Position is a place in a file. Line and Column count from 1. The zero Position is that
// of a value that no file has: a default.
type Position struct {
	// File names the file for people, such as ".terrateam/config.yml" or
	// ".terrateam/config.yml (main)".
	File         string
	Line, Column int
}

// String returns "FILE:LINE", or "default".
func (p Position) String() string {
	if p.File == "" {
		return "default"
	}
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Mistake is something in a file that is not as it must be.
type Mistake struct {
	At Position
	// Path leads to the value, such as "workflows[0].plan[1].type". It is empty for
	// the file as a whole.
	Path string
	// Problem says what is wrong and what to write instead.
	Problem string
}

// String returns the mistake as one line for people.
func (m Mistake) String() string {
	if m.Path == "" {
		return fmt.Sprintf("%s: %s", m.At, m.Problem)
	}
	return fmt.Sprintf("%s: %s: %s", m.At, m.Path, m.Problem)
}

// Mistakes are all mistakes that were found, in the order of the file. As an error, they
// are one line each.
type Mistakes []Mistake

// Error implements error.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, each := range m {
		lines[i] = each.String()
	}
	return strings.Join(lines, "\n")
}

// File is the text of a configuration file.
type File struct {
	// Name names the file for people. Positions have it.
	Name string
	// Text is the YAML text. An empty one is an empty configuration.
	Text []byte
}

// Load reads the configuration of a branch. own is the file at the commit that is
// worked on. defaultBranch is the file at the head of the default branch: it gives the
// keys that a pull request cannot change. An error is of type Mistakes.
func Load(own, defaultBranch File) (*Config, error) {
	base, mistakes := read(defaultBranch)
	head, more := read(own)
	if mistakes = append(more, mistakes...); len(mistakes) > 0 {
		return nil, mistakes
	}
	return settle(override(head, base))
}

// LoadDefaultBranch reads the configuration of the default branch itself. An error is of
// type Mistakes.
func LoadDefaultBranch(file File) (*Config, error) {
	document, mistakes := read(file)
	if len(mistakes) > 0 {
		return nil, mistakes
	}
	return settle(document)
}

// read parses a file, and checks each of its values.
func read(file File) (*value, Mistakes) {
	document, mistakes := parse(file)
	if len(mistakes) > 0 {
		return nil, mistakes
	}
	c := checker{}
	c.check("", document, schema())
	return document, c.mistakes
}

// settle checks what can only be seen when the files are merged, and returns the typed
// form.
func settle(document *value) (*Config, error) {
	c := checker{complete: true}
	c.check("", document, schema())
	if len(c.mistakes) > 0 {
		return nil, c.mistakes
	}
	config := decode(document)
	if mistakes := config.contradictions(); len(mistakes) > 0 {
		return nil, mistakes
	}
	return config, nil
}
