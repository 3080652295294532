package matching

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/tagquery"
)

// Cause says why a dirspace is in a change set.
type Cause string

// The causes.
const (
	// Direct means that a changed file matches a pattern.
	Direct Cause = "file"
	// AppliedBefore means that the pull request applied it at an earlier commit, and
	// does not touch it any more.
	AppliedBefore Cause = "applied before"
	// Dependency means that its depends_on matches another member.
	Dependency Cause = "depends_on"
	// ModifiedBy means that its stack is modified by the stack of another member.
	ModifiedBy Cause = "modified_by"
)

// Member is a dirspace of a change set.
type Member struct {
	*Dirspace
	Cause Cause
	// File and Pattern are set for Direct. By is the other member, or the zero
	// Dirspace.
	File, Pattern string
	By            run.Dirspace
	// Layer counts from 0.
	Layer int
}

// ChangeSet has the dirspaces that a change concerns.
type ChangeSet struct {
	// Members are in the order of their dirspaces.
	Members []*Member
	// Layers is the number of layers.
	Layers int
}

// Change is what a pull request changes.
type Change struct {
	// Files are the paths that were added, changed or removed. A file that moved has
	// both of its paths.
	Files []string
	// Applied are the dirspaces that the pull request applied at earlier commits.
	Applied []run.Dirspace
	// All makes every dirspace a member, as if each directory had changed.
	All bool
}

// ChangeSet returns the change set of a change (orchestration, 8.4). An error is of type
// repoconfig.Mistakes: the dirspaces depend on each other in a circle.
func (r *Repository) ChangeSet(change Change) (*ChangeSet, error) {
	members := map[run.Dirspace]*Member{}
	changed := newFiles(change.Files)
	for _, d := range r.Dirspaces {
		if change.All {
			members[d.Dirspace] = &Member{Dirspace: d, Cause: Direct}
		} else if file, pattern, ok := changed.first(d.Patterns); ok {
			members[d.Dirspace] = &Member{Dirspace: d, Cause: Direct, File: file, Pattern: pattern}
		}
	}
	for _, applied := range change.Applied {
		if d := r.at[applied]; d != nil && members[applied] == nil {
			members[applied] = &Member{Dirspace: d, Cause: AppliedBefore}
		}
	}
	r.addDependants(members)
	if err := r.layers(members); err != nil {
		return nil, err
	}
	set := &ChangeSet{}
	for _, d := range r.Dirspaces {
		m := members[d.Dirspace]
		if m == nil || d.PruneOnNoChange && m.Cause == Dependency {
			continue
		}
		set.Members = append(set.Members, m)
	}
	set.renumber()
	return set, nil
}

// renumber closes the gaps that pruning left in the numbers of the layers.
func (s *ChangeSet) renumber() {
	var used []int
	for _, m := range s.Members {
		used = append(used, m.Layer)
	}
	slices.Sort(used)
	used = slices.Compact(used)
	for _, m := range s.Members {
		m.Layer, _ = slices.BinarySearch(used, m.Layer)
	}
	s.Layers = len(used)
}

// dependants finds the dirspaces whose depends_on matches another. A query that needs a
// tag is found by the tag.
type dependants struct {
	byTag map[string][]*Dirspace
	rest  []*Dirspace
}

func newDependants(list []*Dirspace) dependants {
	found := dependants{byTag: map[string][]*Dirspace{}}
	for _, d := range list {
		if d.DependsOn == nil {
			continue
		}
		if tag := required(d.DependsOn.Expr); tag != "" {
			found.byTag[tag] = append(found.byTag[tag], d)
		} else {
			found.rest = append(found.rest, d)
		}
	}
	return found
}

// of calls found for each dirspace that depends on one, except itself.
func (x dependants) of(on *Dirspace, found func(*Dirspace)) {
	try := func(d *Dirspace) {
		if d != on && on.Matches(*d.DependsOn) {
			found(d)
		}
	}
	for _, tag := range on.Tags {
		for _, d := range x.byTag[tag] {
			try(d)
		}
	}
	for _, d := range x.rest {
		try(d)
	}
}

// addDependants adds, again and again, what depends on members.
func (r *Repository) addDependants(members map[run.Dirspace]*Member) {
	depend := newDependants(r.Dirspaces)
	modified := map[string][]*Dirspace{} // by the stack whose change concerns them
	for _, d := range r.Dirspaces {
		for _, name := range r.stacks.rule(d, func(s repoconfig.Stack) []string { return s.ModifiedBy }) {
			modified[name] = append(modified[name], d)
		}
	}
	var next []*Dirspace
	for _, d := range r.Dirspaces {
		if members[d.Dirspace] != nil {
			next = append(next, d)
		}
	}
	doneStacks := map[string]bool{}
	for len(next) > 0 {
		on := next[0]
		next = next[1:]
		add := func(d *Dirspace, cause Cause) {
			if members[d.Dirspace] == nil {
				members[d.Dirspace] = &Member{Dirspace: d, Cause: cause, By: on.Dirspace}
				next = append(next, d)
			}
		}
		depend.of(on, func(d *Dirspace) { add(d, Dependency) })
		for _, name := range on.names() {
			if doneStacks[name] {
				continue
			}
			doneStacks[name] = true
			for _, d := range modified[name] {
				if !d.InStack(name) {
					add(d, ModifiedBy)
				}
			}
		}
	}
}

// step is a member, or a stack as a whole, in the order of a plan.
type step struct {
	member *Member // nil for a stack
	before []*step
	layer  int
	state  visit
}

// visit says how far the numbering of a step has come.
type visit int

const (
	unseen visit = iota
	begun
	numbered
)

// layers gives each member its layer: one above the highest of those that come before it.
func (r *Repository) layers(members map[run.Dirspace]*Member) error {
	steps, inStack := map[run.Dirspace]*step{}, map[string]*step{}
	var list []*step
	for _, d := range r.Dirspaces {
		m := members[d.Dirspace]
		if m == nil {
			continue
		}
		own := &step{member: m}
		steps[d.Dirspace], list = own, append(list, own)
		for _, name := range d.names() {
			if inStack[name] == nil {
				inStack[name] = &step{}
			}
			inStack[name].before = append(inStack[name].before, own)
		}
	}
	depend := newDependants(r.Dirspaces)
	for _, own := range list {
		d := own.member.Dirspace
		depend.of(d, func(of *Dirspace) {
			if later := steps[of.Dirspace]; later != nil {
				later.before = append(later.before, own)
			}
		})
		for _, name := range r.stacks.rule(d, func(s repoconfig.Stack) []string { return s.PlanAfter }) {
			if first := inStack[name]; first != nil && !d.InStack(name) {
				own.before = append(own.before, first)
			}
		}
	}
	for _, each := range list {
		if circle := number(each, nil); circle != nil {
			return repoconfig.Mistakes{circleMistake(circle)}
		}
		each.member.Layer = each.layer
	}
	return nil
}

// number gives a step and those before it their layers. A stack has that of its highest
// member. It returns the members of a circle, or nil.
func number(s *step, way []*step) []*Member {
	switch s.state {
	case numbered:
		return nil
	case begun:
		var circle []*Member
		for _, each := range append(way[slices.Index(way, s):], s) {
			if each.member != nil {
				circle = append(circle, each.member)
			}
		}
		return circle
	}
	s.state = begun
	way = append(way, s)
	for _, first := range s.before {
		if circle := number(first, way); circle != nil {
			return circle
		}
		above := 0
		if s.member != nil {
			above = 1
		}
		s.layer = max(s.layer, first.layer+above)
	}
	s.state = numbered
	return nil
}

func circleMistake(circle []*Member) repoconfig.Mistake {
	var names []string
	for _, m := range circle {
		names = append(names, m.String())
	}
	at := circle[0].At
	if q := circle[0].DependsOn; q != nil {
		at = q.At
	}
	return repoconfig.Mistake{
		At: at, Path: "dirs",
		Problem: fmt.Sprintf("dirspaces depend on each other in a circle (depends_on, plan_after): %s", strings.Join(names, " after ")),
	}
}

// Select returns the members that a tag query matches.
func Select(list []*Member, q tagquery.Expr) []*Member {
	var made []*Member
	for _, m := range list {
		if m.matches(q) {
			made = append(made, m)
		}
	}
	return made
}
