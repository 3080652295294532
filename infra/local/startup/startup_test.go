//go:build linux

package startup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/template"
)

// identity takes the place of any function: the references are built with its command.
var identity = template.Function{LogicalID: "IdentityFunction", Group: "identity", Timeout: time.Second, MemoryMB: 128}

func newRecipe(t *testing.T) recipe {
	t.Helper()
	root, err := template.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	return recipe{root: root, dir: t.TempDir()}
}

func TestEveryReferenceBuildsAndStarts(t *testing.T) {
	r := newRecipe(t)
	for _, name := range []string{hello, dynamoDBOnly, dynamoDBWithS3} {
		built, err := r.reference(t.Context(), name, identity.LogicalID, identity.Group)
		if err != nil {
			t.Fatal(err)
		}
		if built.zipped <= 0 || built.zipped >= built.bytes {
			t.Errorf("%s: got %d bytes, %d zipped; want less when zipped", name, built.bytes, built.zipped)
		}
		spec := specification(identity, built.path)
		as, bs, err := pair(t.Context(), 2, spec, spec)
		if err != nil {
			t.Fatal(err)
		}
		if len(as) != 2 || len(bs) != 2 || as[0] <= 0 {
			t.Errorf("%s: got samples %v and %v, want two of each", name, as, bs)
		}
	}
}

func TestBinaryThatDoesNotStartIsNamedWithWhatItPrinted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bootstrap")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho no table >&2\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := start(t.Context(), specification(identity, path))
	if err == nil || !strings.Contains(err.Error(), "IdentityFunction did not start") || !strings.Contains(err.Error(), "no table") {
		t.Errorf("got %v, want the function's name and its output", err)
	}
}

func TestFunctionWithoutSourceIsNamed(t *testing.T) {
	r := newRecipe(t)
	if _, err := r.function(t.Context(), "AbsentFunction", "absent"); err == nil || !strings.Contains(err.Error(), "build absent") {
		t.Errorf("got %v, want an error that names the function", err)
	}
}

func TestReportHasSamplesForToolsAndVerdictsForReaders(t *testing.T) {
	ms := func(n ...int) []time.Duration {
		samples := make([]time.Duration, len(n))
		for i := range n {
			samples[i] = time.Duration(n[i]) * time.Millisecond
		}
		return samples
	}
	b := binary{bytes: 8_000_000, zipped: 3_000_000}
	slow := result{
		subject: subject{function: identity, reference: hello, goal: 1.2},
		binary:  b, referenceBinary: b, samples: ms(4, 4, 4), referenceSamples: ms(2, 2, 2),
	}
	fast := slow
	fast.function.Group, fast.samples = "kv", ms(2, 2, 2)
	var out strings.Builder
	if err := write(&out, []result{slow, fast}); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if n := strings.Count(text, "\nBenchmarkStartup/"); n != 12 {
		t.Errorf("got %d samples, want 12:\n%s", n, text)
	}
	verdicts := map[string]string{}
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 4 && verdicts[fields[0]] == "" {
			verdicts[fields[0]] = fields[1] + " " + fields[4]
		}
	}
	if verdicts["identity"] != "2.00 MISSED" || verdicts["kv"] != "1.00 met" {
		t.Errorf("got identity %q and kv %q, want 2.00 MISSED and 1.00 met:\n%s", verdicts["identity"], verdicts["kv"], text)
	}
	for _, want := range []string{"4000000 ns/op", "8000000 bytes\t3000000 zip-bytes"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
}
