package template

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The lines around the table of functions in docs/architecture.md.
const (
	functionsBegin = "<!-- functions: written by \"go test ./infra/test/template -update\" -->\n"
	functionsEnd   = "<!-- end of the functions -->\n"
)

// access says how a role uses a table, a bucket or a secret.
type access struct{ reads, writes bool }

// add adds what one action of IAM allows.
func (a *access) add(action string) {
	_, name, _ := strings.Cut(action, ":")
	for _, verb := range []string{"Put", "Update", "Delete", "BatchWrite", "Abort"} {
		if strings.HasPrefix(name, verb) {
			a.writes = true
			return
		}
	}
	a.reads = true
}

func (a access) String() string {
	switch {
	case a.reads && a.writes:
		return "read, write"
	case a.writes:
		return "write"
	default:
		return "read"
	}
}

// wakes returns what invokes a function, as the template declares it.
func wakes(t *testing.T, loaded *Template, f Function) string {
	t.Helper()
	var parts []string
	switch len(f.Routes) {
	case 0:
	case 1:
		parts = append(parts, fmt.Sprintf("HTTP: `%s %s`", f.Routes[0].Method, f.Routes[0].Path))
	default:
		parts = append(parts, fmt.Sprintf("HTTP: %d routes", len(f.Routes)))
	}
	for _, s := range f.Streams {
		if loaded.Table(s.Table) == nil {
			t.Fatalf("%s reads the stream of %s, which is not a table of the template", f.LogicalID, s.Table)
		}
		parts = append(parts, "stream of "+s.Table)
	}
	for _, s := range f.Schedules {
		parts = append(parts, "schedule `"+s.Expression+"`")
	}
	if len(parts) == 0 {
		// One function of the template has no event: the gateway's authorizer.
		if f.Group != "authorizer" {
			t.Fatalf("nothing wakes %s", f.LogicalID)
		}
		parts = append(parts, "the gateway, before each request to a route that is not public")
	}
	return strings.Join(parts, "; ")
}

// uses returns the resources of one kind that the grants of a function cover.
func uses(grants []Grant, function string, kind func(name string) bool) string {
	found := map[string]*access{}
	var order []string
	for _, g := range grants {
		name, _, _ := strings.Cut(strings.TrimSuffix(g.Resource, ".StreamArn"), "/")
		// A right to read the stream is in the column of what wakes a function.
		if g.Function != function || strings.HasSuffix(g.Resource, ".StreamArn") || !kind(name) {
			continue
		}
		if found[name] == nil {
			found[name] = &access{}
			order = append(order, name)
		}
		for _, action := range g.Actions {
			found[name].add(action)
		}
	}
	slices.Sort(order)
	for i, name := range order {
		order[i] = fmt.Sprintf("%s (%s)", name, found[name])
	}
	return strings.Join(order, ", ")
}

// renderedFunctions returns the table of docs/architecture.md.
func renderedFunctions(t *testing.T) string {
	t.Helper()
	root, err := Root(".")
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(filepath.Join(root, "template.yaml"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	grants := granted(t)
	table := func(name string) bool { return loaded.Table(name) != nil }
	bucket := func(name string) bool {
		return slices.ContainsFunc(loaded.Buckets, func(b Bucket) bool { return b.LogicalID == name })
	}
	secret := func(name string) bool { return name != "*" && !table(name) && !bucket(name) }
	var b strings.Builder
	b.WriteString("| Function | What invokes it | Tables | Buckets | Secrets (read) |\n|---|---|---|---|---|\n")
	for _, f := range loaded.Functions {
		secrets := strings.ReplaceAll(uses(grants, f.LogicalID, secret), " (read)", "")
		b.WriteString("| " + f.Group + " ")
		for _, cell := range []string{wakes(t, loaded, f), uses(grants, f.LogicalID, table), uses(grants, f.LogicalID, bucket), secrets} {
			b.WriteString("| ")
			if cell != "" {
				b.WriteString(cell + " ")
			}
		}
		b.WriteString("|\n")
	}
	return b.String()
}

func TestArchitecturePageShowsTheFunctionsOfTheTemplate(t *testing.T) {
	const file = "docs/architecture.md"
	before, rest, begins := strings.Cut(string(fileOfProduct(t, file)), functionsBegin)
	table, after, ends := strings.Cut(rest, functionsEnd)
	if !begins || !ends {
		t.Fatalf("%s has no place for the table of functions, between %q and %q", file, functionsBegin, functionsEnd)
	}
	want := renderedFunctions(t)
	if table == want {
		return
	}
	if !*update {
		t.Fatalf("%s differs from template.yaml. Review the difference, then write the table with: go test ./infra/test/template -update\ngot\n%s\nwant\n%s", file, table, want)
	}
	root, err := Root(".")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, file), []byte(before+functionsBegin+want+functionsEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
