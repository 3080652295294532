package repoconfig

import (
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of keys of docs/configuration.md anew")

// Marks around the tables of keys.
const (
	keysBegin = "<!-- keys: written by \"go test ./shared/repoconfig -update\" -->\n"
	keysEnd   = "<!-- end of keys -->\n"
)

// forms name the texts that a function checks.
var forms = map[uintptr]string{
	pointer(validQuery): "tag query", pointer(validLuaPattern): "pattern of Lua", pointer(validFilePattern): "pattern of paths",
	pointer(validBranchGlob): "branch, may have `*`", pointer(validApprover): "person", pointer(validMatch): "person", pointer(validWindow): "time of day",
}

func pointer(f func(string) error) uintptr { return reflect.ValueOf(f).Pointer() }

// alone are the keys that stand in several places and have a section of their own.
var alone = []string{"when_modified", "engine", "integrations"}

// rows are the rows of a table of keys.
type rows struct{ b strings.Builder }

func (r *rows) add(path, value, fallback, about string) {
	fmt.Fprintf(&r.b, "| `%s` | %s | %s | %s |\n", path, value, code(fallback, value), about)
}

// code shows a default as code if it is a value, and not a description.
func code(fallback, value string) string {
	quoted := "`" + strings.ReplaceAll(fallback, ", ", "`, `") + "`"
	if strings.Contains(value, quoted) || strings.ContainsAny(strings.Trim(fallback, "*"), "/\"0123456789") || fallback == "*" {
		return quoted
	}
	return fallback
}

// keys adds the rows of an object.
func (r *rows) keys(path string, list keys, note string) {
	for _, k := range list {
		at := k.name
		if path != "" {
			at = path + "." + k.name
		}
		fallback := k.fallback
		if k.needed {
			fallback = "**needed**"
		}
		value, below := named(k.of), k.of
		switch {
		case path != "" && slices.Contains(alone, k.name):
			value, below = fmt.Sprintf("[%s](#%s)", k.name, k.name), nil
		case isSteps(k.of):
			value, below = "list of [steps](#steps)", nil
		}
		about := k.about
		if note != "" {
			about += " (" + note + ")"
		}
		r.add(at, value, fallback, about)
		r.below(at, below)
	}
}

// isSteps reports whether a shape is a list of steps.
func isSteps(s shape) bool {
	list, ok := s.(each)
	if !ok {
		return false
	}
	v, ok := list.of.(variant)
	return ok && v.by == "type"
}

// below adds the rows of what a value holds.
func (r *rows) below(path string, s shape) {
	switch s := s.(type) {
	case keys:
		r.keys(path, s, "")
	case each:
		r.below(path+"[]", s.of)
	case table:
		r.below(path+".NAME", s.of)
	case kinds:
		for _, kind := range slices.Sorted(maps.Keys(s)) {
			r.below(path, s[kind])
		}
	case decided:
		r.keys(path, united(s), "")
	case variant:
		r.variant(path, s)
	}
}

// variant adds the rows of an object whose keys depend on one of them. Keys that several
// forms have in the same way are one row.
func (r *rows) variant(path string, s variant) {
	names := slices.Sorted(maps.Keys(s.of))
	choice := key{name: s.by, of: words{among: names}, fallback: s.fallback, about: "decides which other keys are possible", needed: s.fallback == ""}
	if s.other != nil {
		choice.about += "; another name is possible, with texts and lists of texts"
	}
	r.keys(path, keys{choice}, "")
	type alike struct {
		key
		with []string
	}
	var list []alike
	for _, name := range names {
		for _, k := range s.of[name].(keys) {
			if k.name == s.by || k.name == "type" {
				continue
			}
			same := func(a alike) bool {
				return a.name == k.name && a.about == k.about && a.needed == k.needed && named(a.of) == named(k.of)
			}
			if i := slices.IndexFunc(list, same); i >= 0 {
				list[i].with = append(list[i].with, name)
			} else {
				list = append(list, alike{k, []string{name}})
			}
		}
	}
	for _, a := range list {
		note := ""
		if len(a.with) < len(names) {
			note = fmt.Sprintf("`%s: %s`", s.by, strings.Join(a.with, "`, `"))
		}
		r.keys(path, keys{a.key}, note)
	}
}

// united returns the keys of all forms of an object.
func united(of decided) keys {
	made := of(&value{kind: object}).(keys)
	for _, name := range []string{"stacks", "schedules", "count"} {
		other := of(&value{kind: object, members: []member{{name: name, value: &value{kind: object}}}}).(keys)
		for _, k := range other {
			if !slices.Contains(made.names(), k.name) {
				k.needed = false
				made = made.with(k)
			}
		}
		for i, k := range made {
			made[i].needed = k.needed && slices.ContainsFunc(other, func(o key) bool { return o.name == k.name && o.needed })
		}
	}
	return made
}

// named returns how the guide names what a value is.
func named(s shape) string {
	switch s := s.(type) {
	case words:
		switch {
		case len(s.among) == len(overridable):
			return "key of this file"
		case len(s.among) > 0:
			return "`" + strings.Join(s.among, "`, `") + "`"
		case s.valid != nil:
			return forms[pointer(s.valid)]
		}
		return "text"
	case yesno:
		return "`true`, `false`"
	case integer:
		if s.most == math.MaxInt32 {
			return "whole number"
		}
		return fmt.Sprintf("%d to %d", s.least, s.most)
	case decimal:
		return "number"
	case each:
		return "list: " + named(s.of)
	case table:
		return "object by name: " + named(s.of)
	case kinds:
		var list []string
		for _, kind := range slices.Sorted(maps.Keys(s)) {
			list = append(list, named(s[kind]))
		}
		slices.Reverse(list)
		return strings.Join(slices.Compact(list), ", or ")
	case keys, decided, variant:
		return "object"
	}
	return "anything"
}

const heading = "| Key | Value | Default | Meaning |\n|---|---|---|---|\n"

// renderedKeys returns the tables of keys of docs/configuration.md.
func renderedKeys() string {
	var b strings.Builder
	all := schema().(keys)
	var top rows
	b.WriteString("### All keys\n\n" + heading)
	for _, k := range all {
		value := named(k.of)
		var below rows
		if below.below(k.name, k.of); below.b.Len() > 0 {
			value = fmt.Sprintf("[%s](#%s)", value, k.name)
		}
		top.add(k.name, value, k.fallback, k.about)
	}
	b.WriteString(top.b.String())
	for _, k := range all {
		var below rows
		if below.below(k.name, k.of); below.b.Len() > 0 {
			fmt.Fprintf(&b, "\n### %s\n\n%s%s", k.name, heading, below.b.String())
		}
	}
	b.WriteString("\n### Steps\n\nA step has a `type`. These types can stand in `workflows[].plan` and `workflows[].apply`:\n")
	workflow, hook := workflowStep().(variant), hookStep().(variant)
	steps(&b, workflow.of)
	b.WriteString("\nHooks can have the types ")
	names := slices.Sorted(maps.Keys(hook.of))
	b.WriteString("`" + strings.Join(names, "`, `") + "`. One of them stands only in hooks:\n")
	only := maps.Clone(hook.of)
	maps.DeleteFunc(only, func(name string, _ shape) bool { return workflow.of[name] != nil })
	steps(&b, only)
	return b.String()
}

// steps writes a table of keys for each type of steps.
func steps(b *strings.Builder, types map[string]shape) {
	for _, name := range slices.Sorted(maps.Keys(types)) {
		var of rows
		switch s := types[name].(type) {
		case keys:
			of.keys("", slices.DeleteFunc(slices.Clone(s), func(k key) bool { return k.name == "type" }), "")
		case variant:
			of.variant("", s)
		}
		fmt.Fprintf(b, "\n#### Step %s\n\n%s%s", name, heading, of.b.String())
	}
}

func TestGuideHasTheKeysOfTheSchema(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "docs", "configuration.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(page), keysBegin)
	got, after, ends := strings.Cut(rest, keysEnd)
	if !begins || !ends {
		t.Fatalf("%s has no place for the keys, between %q and %q", path, keysBegin, keysEnd)
	}
	want := renderedKeys()
	if got == want {
		return
	}
	if !*update {
		t.Fatalf("%s differs from the schema. Review the difference, then write the tables with: go test ./shared/repoconfig -update\nwant\n%s", path, want)
	}
	if err := os.WriteFile(path, []byte(before+keysBegin+want+keysEnd+after), 0o600); err != nil {
		t.Fatal(err)
	}
}

// unnamed is a row whose value has no name.
var unnamed = regexp.MustCompile(`(?m)^\| [^|]+ \| *(\||list: *\|)`)

func TestGuideNamesEachValue(t *testing.T) {
	t.Parallel()
	for _, row := range unnamed.FindAllString(renderedKeys(), -1) {
		t.Errorf("%s: the function that checks the text has no name in forms", row)
	}
}
