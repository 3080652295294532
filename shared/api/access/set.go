package access

import (
	"cmp"
	"slices"
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

// HasAll reports whether every capability of caps is in the set. It is true
// of an empty list.
func (s Set) HasAll(caps []Capability) bool {
	for _, c := range caps {
		if !s.Has(c) {
			return false
		}
	}
	return true
}

// values lists the values of the restrictions with the given name.
func (s Set) values(name string) []string {
	var v []string
	for _, c := range s {
		if c.Name == name {
			v = append(v, c.Value)
		}
	}
	return v
}

// Installations lists the installation ids that the set is restricted to;
// empty means that it is not.
func (s Set) Installations() []string { return s.values(nameInstallation) }

// VCSs lists the VCSs that the set is restricted to; empty means that it is
// not.
func (s Set) VCSs() []string { return s.values(nameVCS) }

// Within reports whether s is restricted at least as much as outer, for
// installations and for VCSs: whatever s reaches, outer reaches too. What the
// sets allow plays no part.
func (s Set) Within(outer Set) bool {
	return within(s.Installations(), outer.Installations()) && within(s.VCSs(), outer.VCSs())
}

func within(inner, outer []string) bool {
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
