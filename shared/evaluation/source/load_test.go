package source_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/evaluation/source"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// onPull is what is loaded for a pull request.
var onPull = source.Wanted{Commit: "c1", Default: main, Source: "feature", Destination: "main", Base: "c0", Head: "c1"}

// members returns the members of a change set, such as "a:default".
func members(l source.Loaded) string {
	var list []string
	for _, m := range l.Set.Members {
		list = append(list, m.Dir+":"+m.Workspace)
	}
	return strings.Join(list, " ")
}

func TestRepositoryIsLoadedWithWhatAChangeTouches(t *testing.T) {
	t.Parallel()
	r := open(t)
	paths := []string{"a/x.tf", "b/x.tf", "c/y.txt"}
	n := 0
	for name, c := range map[string]struct {
		own, base string // configurations
		wanted    func(*source.Wanted)
		calls     string
		members   string
		mistake   string
	}{
		"no configuration":         {calls: "Changes, 2 File, Tree", members: "a:default"},
		"configuration":            {own: "dirs: {b: {when_modified: {depends_on: 'dir:a'}}}", base: "{}", calls: "Changes, 2 File, Tree", members: "a:default b:default"},
		"branch tags":              {own: "tags: {branch: {f: '^feat'}}\ndirs: {a: {workspaces: {x: {}}}, b: {when_modified: {depends_on: 'branch:f'}}}", base: "{}", calls: "Changes, 2 File, Tree", members: "a:x b:default"},
		"disabled":                 {own: "enabled: false", base: "{}", calls: "2 File, Tree", members: "-"},
		"mistake of the branch":    {own: "workflow: []", base: "{}", calls: "2 File, Tree", mistake: yml + ":1: workflow"},
		"mistake of the default":   {own: "{}", base: "workflow: []", calls: "2 File, Tree", mistake: yml + " (main):1: workflow"},
		"circle":                   {own: "dirs: {a: {when_modified: {depends_on: 'dir:b'}}, b: {when_modified: {depends_on: 'dir:a'}}}", base: "{}", calls: "Changes, 2 File, Tree", mistake: "in a circle"},
		"does not fit the files":   {own: "stacks: {names: {default: {tag_query: 'dir:a'}}}", base: "{}", calls: "Changes, 2 File, Tree", mistake: "belongs to no stack"},
		"environment":              {own: "workflows: [{tag_query: 'dir:b'}, {tag_query: '', environment: " + strings.Repeat("e", 1001) + "}]", base: "{}", calls: "Changes, 2 File, Tree", mistake: "workflows[1].environment: it has 1001 bytes for a (default)"},
		"machines":                 {own: "workflows: [{tag_query: '', runs_on: [" + strings.Repeat("m", 4000) + "]}]", base: "{}", calls: "Changes, 2 File, Tree", mistake: "workflows[0].runs_on: it has 4004 bytes"},
		"applied before":           {wanted: func(w *source.Wanted) { w.Applied = []run.Dirspace{{Dir: "b", Workspace: "default"}} }, calls: "Changes, 2 File, Tree", members: "a:default b:default"},
		"drift":                    {own: "{}", wanted: func(w *source.Wanted) { w.All, w.Default.SHA = true, w.Commit }, calls: "File, Tree", members: "a:default b:default"},
		"head of the default":      {own: "{}", wanted: func(w *source.Wanted) { w.Default.SHA = w.Commit }, calls: "Changes, File, Tree", members: "a:default"},
		"mistake there":            {own: "workflow: []", wanted: func(w *source.Wanted) { w.Default.SHA = w.Commit }, calls: "File, Tree", mistake: yml + ":1: workflow"},
		"nothing that is planned":  {wanted: func(w *source.Wanted) { w.Head = "c2" }, calls: "Changes, 2 File, Tree", members: ""},
		"configuration is too big": {own: "#" + strings.Repeat("x", 1<<20), base: "{}", calls: "File, Tree", mistake: "the file has more than 1048576 bytes"},
		"the other is too big":     {own: "{}", base: "#" + strings.Repeat("x", 1<<20), calls: "2 File, Tree", mistake: "the file has more than 1048576 bytes"},
	} {
		n++
		own, base, w := fmt.Sprint("own", n), fmt.Sprint("base", n), onPull
		w.Commit, w.Default.SHA, w.Base, w.Head = own, base, base, "c1"
		if c.wanted != nil {
			c.wanted(&w)
		}
		h := &host{
			commits: map[string]map[string][]byte{own: tree(c.own, paths...), base: tree(c.base, paths...)},
			changes: map[string][]vcshost.FileChange{w.Base + "...c1": {{Path: "a/x.tf"}}, w.Base + "...c2": {{Path: "README.md"}}},
		}
		for _, calls := range []string{c.calls, ""} {
			got, err := r.Load(t.Context(), h, place, w)
			switch {
			case err != nil:
				t.Errorf("%s: %v", name, err)
			case c.mistake != "":
				if len(got.Mistakes) != 1 || !strings.Contains(got.Mistakes.Error(), c.mistake) || got.Config != nil || got.Set != nil {
					t.Errorf("%s: mistakes %v", name, got.Mistakes)
				}
			case len(got.Mistakes) > 0 || got.Config == nil:
				t.Errorf("%s: mistakes %v", name, got.Mistakes)
			case c.members == "-":
				if got.Set != nil || got.Config.Enabled {
					t.Errorf("%s: %v", name, got)
				}
			case members(got) != c.members:
				t.Errorf("%s: members %q, want %q", name, members(got), c.members)
			}
			if made := h.take(); made != calls {
				t.Errorf("%s: calls %q, want %q", name, made, calls)
			}
		}
	}
}

// TestPullRequestCannotLoosenItsOwnRules has orchestration, 7.2 and trap 1 of 27.
func TestPullRequestCannotLoosenItsOwnRules(t *testing.T) {
	t.Parallel()
	r := open(t)
	h := small()
	h.commits["c0"] = tree("apply_requirements: {checks: [{tag_query: '', approved: {enabled: true, any_of: ['team:sre']}}]}")
	h.commits["c1"] = tree("apply_requirements: {checks: [{tag_query: ''}]}", "a/x.tf")
	got, err := r.Load(t.Context(), h, place, onPull)
	if err != nil || len(got.Mistakes) > 0 || !slices.Equal(got.Config.Requirements.Checks[0].Approved.AnyOf, []string{"team:sre"}) {
		t.Errorf("got %v, %v", got, err)
	}
}

// large is a host with a repository of many files, in directories with ten files each, and
// a change of some of them.
func large(files, changed int) *host {
	h := &host{commits: map[string]map[string][]byte{"c0": tree("{}"), "c1": tree("parallel_runs: 4")}, changes: map[string][]vcshost.FileChange{}}
	for i := range files {
		path := fmt.Sprintf("infrastructure/accounts/%04d/services/%05d/file-%d.tf", i/1000, i/10, i%10)
		h.commits["c1"][path] = nil
		if i%(files/changed) == 0 {
			h.changes["c0...c1"] = append(h.changes["c0...c1"], vcshost.FileChange{Path: path})
		}
	}
	return h
}

func TestLargeRepositoryIsLoadedWithTheSameCalls(t *testing.T) {
	t.Parallel()
	files := storagetest.Sample(20_000, 2000)
	r, h := open(t), large(files, files/20)
	for _, calls := range []string{"Changes, 2 File, Tree", ""} {
		got, err := r.Load(t.Context(), h, place, onPull)
		if err != nil || len(got.Mistakes) > 0 || len(got.Tree.Dirspaces) != files/10 || len(got.Set.Members) != files/20 || len(got.Changed) != files/20 {
			t.Fatalf("got %v, %v", got.Mistakes, err)
		}
		if made := h.take(); made != calls {
			t.Errorf("calls %q, want %q", made, calls)
		}
	}
}

// BenchmarkLoad reads a repository of 100,000 files and a change of 3,000 files. "kept" is
// how it is read after the first time. B/op bounds the memory: nothing of it is freed
// before the end.
func BenchmarkLoad(b *testing.B) {
	for _, size := range []struct{ files, changed int }{{100, 10}, {10_000, 300}, {100_000, 3000}} {
		r, h := open(b), large(size.files, size.changed)
		load := func(b *testing.B, s source.Source, p source.Place) {
			b.Helper()
			if got, err := s.Load(b.Context(), h, p, onPull); err != nil || len(got.Set.Members) == 0 {
				b.Fatal(got.Mistakes, err)
			}
		}
		load(b, r.Source, place)
		b.Run(fmt.Sprintf("kept/files=%d", size.files), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				load(b, r.Source, place)
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.Sys)/(1<<20), "MiB-of-process")
		})
	}
}
