package matching

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/repoconfig"
)

// DefaultStack is the stack of dirspaces that no stack of the configuration matches.
const DefaultStack = "default"

// stacks are the stacks of a configuration.
type stacks struct {
	byName map[string]repoconfig.Stack
	// regular are the stacks with a tag query, in the order of the file.
	regular []repoconfig.Stack
	// around are the stacks around each stack, from the inside.
	around map[string][]string
	// parents are the stacks that hold each stack directly.
	parents map[string][]string
}

func newStacks(list []repoconfig.Stack) stacks {
	s := stacks{byName: map[string]repoconfig.Stack{}, around: map[string][]string{}, parents: map[string][]string{}}
	parents := s.parents
	for _, each := range list {
		s.byName[each.Name] = each
		if each.Query != nil {
			s.regular = append(s.regular, each)
		}
		for _, inner := range each.Stacks {
			parents[inner] = append(parents[inner], each.Name)
		}
	}
	for _, each := range list {
		// Breadth first, so that inner stacks come before outer ones. The configuration
		// has no circles.
		for next := parents[each.Name]; len(next) > 0; {
			var further []string
			for _, name := range next {
				if !slices.Contains(s.around[each.Name], name) {
					s.around[each.Name] = append(s.around[each.Name], name)
					further = append(further, parents[name]...)
				}
			}
			next = further
		}
	}
	return s
}

// position returns the place of the first stack.
func (s stacks) position() repoconfig.Position {
	if len(s.regular) == 0 {
		return repoconfig.Position{}
	}
	return s.regular[0].At
}

// assign gives a dirspace its stack. It returns what is wrong, or the empty text.
func (s stacks) assign(d *Dirspace) string {
	var found []string
	for _, each := range s.regular {
		if d.Matches(*each.Query) {
			found = append(found, each.Name)
		}
	}
	_, taken := s.byName[DefaultStack]
	switch {
	case len(found) > 1:
		return fmt.Sprintf("%s belongs to several stacks: %s; change their tag queries so that one matches", d, strings.Join(found, ", "))
	case len(found) == 0 && taken:
		return fmt.Sprintf("%s belongs to no stack, and the stack %s is defined; change the tag queries so that one matches", d, DefaultStack)
	case len(found) == 0:
		found = []string{DefaultStack}
	}
	d.Stack, d.Enclosing = found[0], s.around[found[0]]
	d.addTag(stackNameTag + d.Stack)
	d.Variables = map[string]string{}
	for _, name := range slices.Backward(d.Enclosing) {
		d.addTag(stackNameTag + name)
		maps.Copy(d.Variables, s.byName[name].Variables)
	}
	maps.Copy(d.Variables, s.byName[d.Stack].Variables)
	return ""
}

// names returns the stack of a dirspace and those around it.
func (d *Dirspace) names() []string { return append([]string{d.Stack}, d.Enclosing...) }

// InStack reports whether the dirspace belongs to a stack, also to one inside it.
func (d *Dirspace) InStack(name string) bool { return slices.Contains(d.names(), name) }

// rule returns what the stacks of a dirspace say together.
func (s stacks) rule(d *Dirspace, of func(repoconfig.Stack) []string) []string {
	var made []string
	for _, name := range d.names() {
		made = append(made, of(s.byName[name])...)
	}
	return made
}

// ApplyAfter returns the stacks that are applied before the dirspace.
func (r *Repository) ApplyAfter(d *Dirspace) []string {
	return r.stacks.rule(d, func(s repoconfig.Stack) []string { return s.ApplyAfter })
}

// AutoApply reports whether a stack of the dirspace is applied when it is planned. The
// innermost stack that says something decides.
func (r *Repository) AutoApply(d *Dirspace) bool {
	for _, name := range d.names() {
		if given := r.stacks.byName[name].AutoApply; given != nil {
			return *given
		}
	}
	return false
}

// expand replaces the variables ${NAME} of a text. A variable that does not exist stays.
func expand(text string, variables map[string]string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "${")
		name, rest, closed := strings.Cut(after, "}")
		b.WriteString(before)
		if !found || !closed {
			b.WriteString(text[len(before):])
			return b.String()
		}
		if value, known := variables[name]; known {
			b.WriteString(value)
		} else {
			b.WriteString("${" + name + "}")
		}
		text = rest
	}
}

// PlanAfter returns the stacks that are planned before the dirspace.
func (r *Repository) PlanAfter(d *Dirspace) []string {
	return r.stacks.rule(d, func(s repoconfig.Stack) []string { return s.PlanAfter })
}

// Paths returns the ways from an outermost stack down to a stack, by names. New lets no
// stack have more than maxPaths.
func (r *Repository) Paths(name string) [][]string {
	var made [][]string
	for _, parent := range r.stacks.parents[name] {
		for _, path := range r.Paths(parent) {
			made = append(made, append(slices.Clone(path), name))
		}
	}
	if made == nil {
		return [][]string{{name}}
	}
	return made
}
