// Package changeset keeps the change set of each pull request: the stacks of its
// repository with their dirspaces, and which of these the pull request changes. What
// evaluates a pull request writes it. The stacks that the API shows are derived from
// it (package stack). Its invariants:
//
//   - A pull request has one change set, that of its newest evaluation. An older
//     evaluation never replaces a newer one.
//   - The item decides. A large set is an object that the item names by the hash of
//     its content. An object that no item names counts for nothing, and expires.
//   - The items of an installation are a partition. So a reader that names another
//     installation than that of the repository finds nothing.
package changeset

import (
	"fmt"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Limits of a change set.
const (
	// MaxMembers is the largest number of dirspaces of all stacks together.
	MaxMembers = 20_000
	// MaxStacks is the largest number of stacks.
	MaxStacks = 1000
)

// Set is the change set of a pull request.
type Set struct {
	Repository vcs.Repository
	// Number is that of the pull request.
	Number int64
	// Base and Head are the commits that were compared.
	Base, Head string
	// Merged is the commit of the destination branch that runs work on after the pull
	// request was merged. It is empty before.
	Merged string
	// At is when the evaluation began that made the set, in whole milliseconds.
	At time.Time
	// Stacks are the stacks that have dirspaces. A stack that only holds other stacks
	// is not among them: paths name it.
	Stacks []Stack
}

// Stack is a stack that has dirspaces.
type Stack struct {
	// Name is unique in the repository.
	Name string
	// Paths are the ways from an outermost stack down to this one, by names. A stack
	// that no other holds has one path, with its own name alone.
	Paths [][]string
	// PlanAfter and ApplyAfter are the names of the stacks that come first, the
	// transitive ones included.
	PlanAfter, ApplyAfter []string
	Members               []Member
}

// Member is a dirspace of a stack.
type Member struct {
	run.Dirspace
	// Layer is the place of the dirspace in the order in which the change is planned
	// and applied, from 1. It is 0 if the pull request does not change the dirspace.
	Layer int
}

// Changed reports whether the pull request changes the dirspace.
func (m Member) Changed() bool { return m.Layer > 0 }

// Commits returns the commits on which runs count for the pull request.
func (s Set) Commits() []string {
	if s.Merged == "" || s.Merged == s.Head {
		return []string{s.Head}
	}
	return []string{s.Head, s.Merged}
}

// Validate returns an error that says what is wrong with a set.
func (s Set) Validate() error {
	switch {
	case !s.Repository.Installation.VCS.Valid() || !s.Repository.Installation.ID.Valid() || !s.Repository.ID.Valid():
		return fmt.Errorf("the change set names no repository")
	case s.Number <= 0 || s.Base == "" || s.Head == "" || s.At.IsZero():
		return fmt.Errorf("the change set of %s has no pull request, no commit or no time", s.Repository)
	case len(s.Stacks) > MaxStacks:
		return fmt.Errorf("the change set has %d stacks; at most %d are possible", len(s.Stacks), MaxStacks)
	}
	names, seen := map[string]struct{}{}, map[run.Dirspace]string{}
	for _, stack := range s.Stacks {
		if _, twice := names[stack.Name]; twice || stack.Name == "" {
			return fmt.Errorf("the change set has two stacks named %q, or one without a name", stack.Name)
		}
		names[stack.Name] = struct{}{}
		if err := stack.validate(seen); err != nil {
			return err
		}
	}
	if len(seen) > MaxMembers {
		return fmt.Errorf("the change set has %d dirspaces; at most %d are possible", len(seen), MaxMembers)
	}
	for _, stack := range s.Stacks {
		for _, name := range slices.Concat(stack.PlanAfter, stack.ApplyAfter) {
			if _, known := names[name]; !known {
				return fmt.Errorf("the stack %q comes after %q, which has no dirspaces or does not exist", stack.Name, name)
			}
		}
	}
	return nil
}

// validate checks a stack, and adds its dirspaces to those that were seen.
func (s Stack) validate(seen map[run.Dirspace]string) error {
	if len(s.Paths) == 0 {
		return fmt.Errorf("the stack %q has no path", s.Name)
	}
	for _, path := range s.Paths {
		if len(path) == 0 || path[len(path)-1] != s.Name {
			return fmt.Errorf("the path %q does not lead to the stack %q", path, s.Name)
		}
	}
	for _, m := range s.Members {
		if other, twice := seen[m.Dirspace]; twice {
			return fmt.Errorf("the dirspace %s belongs to the stacks %q and %q", m.Dirspace, other, s.Name)
		}
		if m.Layer < 0 {
			return fmt.Errorf("the dirspace %s has the layer %d; the first one is 1", m.Dirspace, m.Layer)
		}
		seen[m.Dirspace] = s.Name
	}
	return nil
}
