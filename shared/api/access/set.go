package access

import (
	"cmp"
	"slices"

	"github.com/opsplane/opsplane/shared/vcs"
)

// Set is a list of capabilities without duplicates, in the order of Normalize.
type Set []Capability

// Normalize returns caps sorted and without duplicates: VCS restrictions
// first, then the rest by name and value. A nil list stays nil.
func Normalize(caps []Capability) Set {
	s := slices.Clone(caps)
	slices.SortFunc(s, func(a, b Capability) int {
		if a.Name != b.Name && (a.Name == nameVCS || b.Name == nameVCS) {
			if a.Name == nameVCS {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value))
	})
	return slices.Compact(s)
}

// Has reports whether c is in the set.
func (s Set) Has(c Capability) bool { return slices.Contains(s, c) }

// HasAll reports whether every capability of caps is in the set. For an empty list
// it returns true.
func (s Set) HasAll(caps []Capability) bool {
	for _, c := range caps {
		if !s.Has(c) {
			return false
		}
	}
	return true
}

// values returns the values of the set's restrictions that have the name.
func values[T ~string](s Set, name string) []T {
	var v []T
	for _, c := range s {
		if c.Name == name {
			v = append(v, T(c.Value))
		}
	}
	return v
}

// Installations returns the ids of the installations that the set is restricted
// to. An empty list means that it is not restricted.
func (s Set) Installations() []vcs.ID { return values[vcs.ID](s, nameInstallation) }

// VCSs returns the VCSs that the set is restricted to. An empty list means that
// it is not restricted.
func (s Set) VCSs() []vcs.VCS { return values[vcs.VCS](s, nameVCS) }

// Within reports whether s is restricted at least as much as outer, for
// installations and for VCSs: outer reaches everything that s reaches. The other
// capabilities of the sets do not matter.
func (s Set) Within(outer Set) bool {
	return within(s.Installations(), outer.Installations()) && within(s.VCSs(), outer.VCSs())
}

func within[T comparable](inner, outer []T) bool {
	if len(outer) == 0 {
		return true
	}
	if len(inner) == 0 {
		return false
	}
	for _, v := range inner {
		if !slices.Contains(outer, v) {
			return false
		}
	}
	return true
}
