package run_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/run"
)

func TestDirectoriesHaveOneForm(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]string{
		"": ".", ".": ".", "./": ".", "a": "a", "./a": "a", "a/": "a", "a//b": "a/b", "a/./b/.": "a/b", ".terraform": ".terraform",
		"a/..b": "a/..b", "größe": "größe", "a b": "a b", strings.Repeat("d", run.MaxDir): strings.Repeat("d", run.MaxDir),
	} {
		if got, err := run.NewDirspace(dir, "default"); err != nil || got.Dir != want || got.Workspace != "default" {
			t.Errorf("%q: got %v, %v, want %q", dir, got, err, want)
		}
	}
}

func TestDirspacesThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{
		{"..", "w"},
		{"a/../b", "w"},
		{"../a", "w"},
		{"/", "w"},
		{"/a", "w"},
		{"a\x00", "w"},
		{"a\nb", "w"},
		{"\xff", "w"},
		{strings.Repeat("d", run.MaxDir+1), "w"},
		{"a", ""},
		{"a", strings.Repeat("w", run.MaxWorkspace+1)},
		{"a", "w\x7f"},
		{"a", "\xc3"},
	} {
		if got, err := run.NewDirspace(c[0], c[1]); err == nil {
			t.Errorf("%q with %q became %v", c[0], c[1], got)
		}
	}
}

func paths() *rapid.Generator[string] {
	part := rapid.SampledFrom([]string{"a", "b", "prod", ".", "", "..", "x y", "é"})
	return rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(part, 0, 6).Draw(t, "parts"), "/") })
}

func TestFormOfADirectoryIsStable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		dir := paths().Draw(t, "dir")
		d, err := run.NewDirspace(dir, "w")
		refused := strings.HasPrefix(dir, "/") || slices.Contains(strings.Split(dir, "/"), "..")
		if (err != nil) != refused {
			t.Fatalf("%q: %v", dir, err)
		}
		if err != nil {
			return
		}
		if again, err := run.NewDirspace(d.Dir, "w"); err != nil || again != d {
			t.Fatalf("%q became %v, then %v, %v", dir, d, again, err)
		}
		above := d.Ancestors()
		for i, a := range above {
			if i > 0 && len(a) <= len(above[i-1]) && above[i-1] != run.Root {
				t.Fatalf("%q: ancestors %q are not in order", d.Dir, above)
			}
			if a != run.Root && !strings.HasPrefix(d.Dir, a+"/") {
				t.Fatalf("%q does not lie in %q", d.Dir, a)
			}
		}
		if want := strings.Count(d.Dir, "/") + 1; d.Dir != run.Root && len(above) != want {
			t.Fatalf("%q has the ancestors %q, want %d", d.Dir, above, want)
		}
	})
}

func TestDirspacesAreSortedWithoutRepetition(t *testing.T) {
	t.Parallel()
	got := run.SortDirspaces([]run.Dirspace{{"b", "x"}, {"a", "z"}, {"b", "a"}, {"a", "z"}, {"b", "x"}})
	if want := []run.Dirspace{{"a", "z"}, {"b", "a"}, {"b", "x"}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
