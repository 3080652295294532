package repoconfig

import (
	"fmt"
	"slices"
	"strings"
)

// contradictions returns what is wrong between keys that are right by themselves.
func (c *Config) contradictions() Mistakes {
	return append(c.unknownStacks(), c.circles()...)
}

// unknownStacks finds names of stacks that no stack has.
func (c *Config) unknownStacks() Mistakes {
	var names []string
	for _, s := range c.Stacks {
		names = append(names, s.Name)
	}
	var found Mistakes
	for _, s := range c.Stacks {
		for _, rule := range []struct {
			key  string
			list []string
		}{{"stacks", s.Stacks}, {"rules.modified_by", s.ModifiedBy}, {"rules.plan_after", s.PlanAfter}, {"rules.apply_after", s.ApplyAfter}} {
			for _, name := range rule.list {
				if !slices.Contains(names, name) {
					found = append(found, Mistake{s.At, join("stacks.names", s.Name) + "." + rule.key, fmt.Sprintf("there is no stack %q%s", name, suggestion(name, names))})
				}
			}
		}
	}
	return found
}

// circles finds stacks that contain themselves, or that come before themselves. It returns
// the first circle.
func (c *Config) circles() Mistakes {
	for _, rule := range []struct {
		key  string
		next func(Stack) []string
	}{
		{"stacks", func(s Stack) []string { return s.Stacks }},
		{"rules.modified_by", func(s Stack) []string { return s.ModifiedBy }},
		{"rules.plan_after", func(s Stack) []string { return s.PlanAfter }},
		{"rules.apply_after", func(s Stack) []string { return s.ApplyAfter }},
	} {
		if circle := c.circle(rule.next); circle != nil {
			path := join("stacks.names", circle[0]) + "." + rule.key
			return Mistakes{{c.stack(circle[0]).At, path, "the stacks form a circle: " + strings.Join(circle, ", then ")}}
		}
	}
	return nil
}

func (c *Config) stack(name string) Stack {
	i := slices.IndexFunc(c.Stacks, func(s Stack) bool { return s.Name == name })
	if i < 0 {
		return Stack{}
	}
	return c.Stacks[i]
}

// circle returns the names of a circle, the first one also at the end, or nil.
func (c *Config) circle(next func(Stack) []string) []string {
	byName := make(map[string]Stack, len(c.Stacks))
	for _, s := range c.Stacks {
		byName[s.Name] = s
	}
	done := map[string]bool{}
	var way []string
	var visit func(name string) []string
	visit = func(name string) []string {
		if at := slices.Index(way, name); at >= 0 {
			return append(slices.Clone(way[at:]), name)
		}
		if done[name] {
			return nil
		}
		done[name] = true
		way = append(way, name)
		for _, to := range next(byName[name]) {
			if circle := visit(to); circle != nil {
				return circle
			}
		}
		way = way[:len(way)-1]
		return nil
	}
	for _, s := range c.Stacks {
		if circle := visit(s.Name); circle != nil {
			return circle
		}
	}
	return nil
}
