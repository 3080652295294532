package texts

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/result"
)

// Result is what the comment after a plan or an apply tells.
type Result struct {
	// Apply is false for a plan.
	Apply bool
	// Trigger is the word with which people of this pull request write commands.
	Trigger string
	// URL leads to the run.
	URL string
	// Dirspaces are what came of the run, and of earlier runs whose outcome still
	// stands.
	Dirspaces []Dirspace
	// Hooks are the failed steps before and after the work.
	Hooks []Step
	// Layer and Layers tell which part of the change this is, from 1. There is one layer
	// if the dirspaces do not depend on each other.
	Layer, Layers int
	// Denied are dirspaces that the person may not plan.
	Denied []run.Dirspace
}

// Dirspace is what came of one dirspace.
type Dirspace struct {
	run.Dirspace
	Success bool
	// HasChanges is nil if it is not known.
	HasChanges *bool
	Counts     *result.Counts
	Steps      []Step
	// Earlier says that it is of an earlier run. Other says that this run was of the other
	// kind: a plan in the comment of an apply, an apply in the comment of a plan.
	Earlier, Other bool
}

// Step is a step that is shown.
type Step struct {
	Name    string
	Success bool
	// Text is what it printed.
	Text string
	// Plan says that Text is a plan, which is shown as a diff.
	Plan bool
}

// Comments returns the comments of a result: one, or several if it is long.
func Comments(r Result) []string {
	head := r.headline() + r.table() + r.next()
	parts := r.details(false)
	if length(head, parts) > maxComments*Max {
		parts = r.details(true)
	}
	return split(bounded(head), parts)
}

// maxComments is how many comments a result may have before it is shortened.
const maxComments = 4

func length(head string, parts []string) int {
	n := len(head)
	for _, p := range parts {
		n += len(p)
	}
	return n
}

// own returns the dirspaces that the comment is about: those that the runs of an apply
// worked on, and all that is planned.
func (r Result) own() []Dirspace {
	return slices.DeleteFunc(slices.Clone(r.Dirspaces), func(d Dirspace) bool { return d.Other || r.Apply && d.Earlier })
}

// totals sums the numbers of the dirspaces that the comment is about.
func (r Result) totals() (sum result.Counts, failed, same int) {
	replace := 0
	for _, d := range r.own() {
		switch {
		case !d.Success:
			failed++
		case d.HasChanges != nil && !*d.HasChanges:
			same++
		}
		if c := d.Counts; c != nil && d.Success {
			sum.Add, sum.Change, sum.Destroy = sum.Add+c.Add, sum.Change+c.Change, sum.Destroy+c.Destroy
			if c.Replace != nil {
				replace += *c.Replace
			}
		}
	}
	sum.Replace = &replace
	return sum, failed, same
}

func (r Result) headline() string {
	sum, failed, same := r.totals()
	word := "Plan"
	if r.Apply {
		word = "Apply"
	}
	text := fmt.Sprintf("## %s: %s", word, count(len(r.own()), "directory"))
	switch {
	case failed > 0:
		text += fmt.Sprintf(", **%d failed**", failed)
	case !r.Apply && same == len(r.own()):
		text += ", no changes"
	}
	if changes := numbers(sum, r.Apply); changes != "" {
		text += "\n\n" + changes
	}
	switch {
	case r.Layers > 1 && r.Layer < r.Layers:
		text += fmt.Sprintf("\n\nThis is part %d of %d. The next part is planned when this one is applied.", r.Layer, r.Layers)
	case r.Layers > 1:
		text += fmt.Sprintf("\n\nThis is part %d of %d, the last one.", r.Layer, r.Layers)
	}
	return text + "\n"
}

// numbers returns the numbers of resources as a sentence. What is destroyed stands out.
func numbers(c result.Counts, applied bool) string {
	words := [...]string{"to create", "to change", "to replace", "to destroy"}
	if applied {
		words = [...]string{"created", "changed", "replaced", "destroyed"}
	}
	replace := 0
	if c.Replace != nil {
		replace = *c.Replace
	}
	var parts []string
	add := func(n int, word string, loud bool) {
		if n > 0 && loud {
			parts = append(parts, fmt.Sprintf(":warning: **%d %s**", n, word))
		} else if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, word))
		}
	}
	// A replacement counts as created and as destroyed.
	add(c.Destroy-replace, words[3], true)
	add(replace, words[2], true)
	add(c.Add-replace, words[0], false)
	add(c.Change, words[1], false)
	return strings.Join(parts, ", ")
}

// maxRows is how many rows the table of a comment has.
const maxRows = 50

// table returns what happens where. What failed and what destroys comes first.
func (r Result) table() string {
	if len(r.Dirspaces) < 2 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n| Directory | Workspace | Outcome |\n|---|---|---|\n")
	rows := 0
	for _, rank := range []int{0, 1, 2, 3} {
		for _, d := range r.Dirspaces {
			if d.rank() != rank {
				continue
			}
			if rows++; rows <= maxRows {
				fmt.Fprintf(&b, "| %s | %s | %s |\n", cell(d.Dir), cell(d.Workspace), d.outcome(r.Apply))
			}
		}
	}
	if rows > maxRows {
		fmt.Fprintf(&b, "\nand %d more: [see all of them](%s)\n", rows-maxRows, r.URL)
	}
	return b.String()
}

// waits reports whether a plan of the dirspace may have something to apply.
func (d Dirspace) waits() bool { return d.Success && (d.HasChanges == nil || *d.HasChanges) }

// rank orders dirspaces by how much they need attention.
func (d Dirspace) rank() int {
	switch {
	case !d.Success:
		return 0
	case d.Counts != nil && d.Counts.Destroy > 0:
		return 1
	case d.HasChanges != nil && !*d.HasChanges:
		return 3
	}
	return 2
}

func (d Dirspace) outcome(applied bool) string {
	text := ""
	switch {
	case !d.Success:
		text = ":x: failed"
	case d.HasChanges != nil && !*d.HasChanges:
		text = "no changes"
	case d.Counts != nil:
		text = numbers(*d.Counts, applied != d.Other)
	}
	if text == "" && d.Other && applied {
		text = "planned"
	}
	if text == "" {
		text = ":white_check_mark:"
	}
	if d.Earlier {
		text += " (earlier run)"
	}
	return text
}

// next says what a person types next.
func (r Result) next() string {
	var b strings.Builder
	_, failed, _ := r.totals()
	switch {
	case failed > 0 && r.Apply:
		fmt.Fprintf(&b, "\nCorrect what failed, plan again with `%s plan`, then apply.\n", r.Trigger)
	case failed > 0:
		fmt.Fprintf(&b, "\nCorrect what failed and push, or plan again: `%s plan`\n", r.Trigger)
	case r.Apply && slices.ContainsFunc(r.Dirspaces, func(d Dirspace) bool { return d.Other && d.waits() }):
		fmt.Fprintf(&b, "\nSome directories are planned and not applied. To apply the rest: `%s apply`\n", r.Trigger)
	case !r.Apply && slices.ContainsFunc(r.own(), Dirspace.waits):
		fmt.Fprintf(&b, "\nTo apply all of it: `%s apply`. To apply one directory: `%s apply dir:PATH`\n", r.Trigger, r.Trigger)
	}
	if len(r.Denied) > 0 {
		b.WriteString("\nNot planned, because the access rules do not allow it:\n\n" + listed(r.Denied, named))
	}
	if r.URL != "" {
		fmt.Fprintf(&b, "\n[The run](%s)\n", r.URL)
	}
	return b.String()
}

// tail is how much of what a failed step printed a shortened comment has, in bytes.
const tail = 4000

// details returns what the steps printed, a part for each step. A shortened form has the
// end of what failed, and nothing else.
func (r Result) details(short bool) []string {
	var parts []string
	for _, s := range r.Hooks {
		parts = append(parts, s.part("hooks", short)...)
	}
	for _, rank := range []int{0, 1, 2, 3} {
		for _, d := range r.Dirspaces {
			if d.rank() != rank {
				continue
			}
			of := title(d.String())
			if d.Counts != nil && d.Success {
				of += ": " + strings.ReplaceAll(strings.ReplaceAll(numbers(*d.Counts, r.Apply != d.Other), "**", ""), ":warning: ", "")
			}
			for _, s := range d.Steps {
				parts = append(parts, s.part(of, short)...)
			}
		}
	}
	if short {
		parts = append(parts, fmt.Sprintf("The output is too long for comments. [Read all of it](%s)\n", r.URL))
	}
	return parts
}

// part returns the parts that show a step, each small enough for one comment.
func (s Step) part(of string, short bool) []string {
	text := s.Text
	if short {
		if s.Success {
			return nil
		}
		text = end(text, tail)
	}
	language := ""
	if s.Plan {
		language, text = "diff", asDiff(text)
	}
	if !s.Success {
		of = ":x: " + of
	}
	var parts []string
	pieces := pieces(text, Max/2)
	for i, piece := range pieces {
		name := of + " · " + title(s.Name)
		if len(pieces) > 1 {
			name += fmt.Sprintf(" (%d of %d)", i+1, len(pieces))
		}
		parts = append(parts, folded(name, block(language, piece)))
	}
	return parts
}

// split distributes parts over comments.
func split(head string, parts []string) []string {
	made := []string{head}
	for _, p := range parts {
		if last := len(made) - 1; len(made[last])+len(p)+1 <= Max {
			made[last] += "\n" + p
		} else {
			made = append(made, p)
		}
	}
	return made
}
