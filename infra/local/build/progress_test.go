//go:build unix

package build

import (
	"slices"
	"testing"
)

func TestProgressTellsAndKeepsWhatTheCompilerSays(t *testing.T) {
	var told []string
	p := &progress{report: func(line string) { told = append(told, line) }}
	for _, part := range []string{
		"go: downloading example.test/m v1.0.0\nint", "ernal/abi\n", "net/http\n# example.test/app\n", "./main.go:3:9: undefined: x\n", "too many errors",
	} {
		if n, err := p.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("got %d, %v", n, err)
		}
	}
	want := []string{"downloading example.test/m v1.0.0", "packages compiled: 1", "packages compiled: 2"}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	if got, want := p.said(), "# example.test/app\n./main.go:3:9: undefined: x\ntoo many errors"; got != want {
		t.Errorf("the compiler said %q, want %q", got, want)
	}
}

func TestProgressIsQuietDuringAShortBuild(t *testing.T) {
	b, _ := newBuilder(t)
	var told []string
	b.Report = func(line string) { told = append(told, line) }
	if _, err := b.Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	told = nil
	// Everything is compiled already, so this build has nothing to do.
	if _, err := b.Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(told) > 0 {
		t.Errorf("told %q of a build that had nothing to do", told)
	}
}
