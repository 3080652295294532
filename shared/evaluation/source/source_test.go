package source_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/evaluation/source"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

var main = vcshost.Branch{Name: "main", SHA: "c0"}

// all reads everything that is kept.
func all(t *testing.T, s source.Source, h *host, p source.Place) (source.Snapshot, repoconfig.File, []string) {
	t.Helper()
	at, err := s.At(t.Context(), h, p, "c1")
	if err != nil {
		t.Fatal(err)
	}
	config, mistakes, err := s.ConfigAt(t.Context(), h, p, main)
	if err != nil || len(mistakes) > 0 {
		t.Fatal(mistakes, err)
	}
	changed, mistakes, err := s.Changed(t.Context(), h, p, "c0", "c1")
	if err != nil || len(mistakes) > 0 {
		t.Fatal(mistakes, err)
	}
	return at, config, changed
}

func small() *host {
	return &host{
		commits: map[string]map[string][]byte{"c0": tree("enabled: true\n"), "c1": tree("version: '1'\n", "b/x.tf", "a/x.tf", "a/line\nbreak")},
		changes: map[string][]vcshost.FileChange{"c0...c1": {{Path: "b/x.tf", Previous: "z/x.tf"}, {Path: "a/x.tf"}, {Path: "b/x.tf"}}},
	}
}

func TestSecondReadOfACommitAsksTheHostForNothing(t *testing.T) {
	t.Parallel()
	r, h := open(t), small()
	at, config, changed := all(t, r.Source, h, place)
	if want := []string{yml, "a/line\nbreak", "a/x.tf", "b/x.tf"}; !slices.Equal(at.Files, want) {
		t.Errorf("files %q, want %q", at.Files, want)
	}
	if at.Config.Name != yml || string(at.Config.Text) != "version: '1'\n" || config.Name != yml+" (main)" || string(config.Text) != "enabled: true\n" {
		t.Errorf("configurations %q and %q", at.Config, config)
	}
	if want := []string{"a/x.tf", "b/x.tf", "z/x.tf"}; !slices.Equal(changed, want) {
		t.Errorf("changed %q, want %q", changed, want)
	}
	if got := h.take(); got != "Changes, 2 File, Tree" {
		t.Errorf("calls: %s", got)
	}
	again, config2, changed2 := all(t, r.Source, h, place)
	if !reflect.DeepEqual(again, at) || !reflect.DeepEqual(config2, config) || !slices.Equal(changed2, changed) {
		t.Errorf("read back as %v, %v, %v", again, config2, changed2)
	}
	if got := h.take(); got != "" {
		t.Errorf("the second read made the calls %s", got)
	}
	for _, of := range []vcs.Repository{
		vcs.Installation{VCS: vcs.GitHub, ID: "43"}.Repository("7"), vcs.Installation{VCS: vcs.GitLab, ID: "42"}.Repository("7"), place.Repository.Installation.Repository("8"),
	} {
		all(t, r.Source, h, source.Place{Repository: of, Described: place.Described})
		if got := h.take(); got != "Changes, 2 File, Tree" {
			t.Errorf("%s has what was read of %s: calls %s", of, place.Repository, got)
		}
	}
}

func TestSourceThatOnlyReadsKeepsNothing(t *testing.T) {
	t.Parallel()
	r, h := open(t), small()
	reader := source.Source{Objects: r.Objects, ReadOnly: true}
	for range 2 {
		all(t, reader, h, place)
		if got := h.take(); got != "Changes, 2 File, Tree" {
			t.Errorf("calls: %s", got)
		}
	}
	if names := r.objects(t); len(names) > 0 {
		t.Errorf("kept %q", names)
	}
	all(t, r.Source, h, place)
	h.take()
	all(t, reader, h, place)
	if got := h.take(); got != "" {
		t.Errorf("what is kept is asked for: %s", got)
	}
}

func TestFirstOfTheTwoNamesOfTheConfigurationCounts(t *testing.T) {
	t.Parallel()
	r := open(t)
	long := bytes.Repeat([]byte("#"), vcshost.MaxFileBytes+1)
	n := 0
	for name, c := range map[string]struct {
		files         map[string][]byte
		want, mistake string
		tree, config  string // the calls
	}{
		"none":              {map[string][]byte{"a.tf": {}}, "", "", "Tree", "2 File"},
		"no files at all":   {map[string][]byte{}, "", "", "Tree", "2 File"},
		"yml":               {map[string][]byte{yml: []byte("a")}, yml, "", "File, Tree", "File"},
		"yaml":              {map[string][]byte{yaml: []byte("a")}, yaml, "", "File, Tree", "2 File"},
		"both":              {map[string][]byte{yaml: []byte("b"), yml: []byte("a")}, yml, "", "File, Tree", "File"},
		"yml is no file":    {map[string][]byte{yaml: []byte("a"), yml: nil}, yaml, "", "2 File, Tree", "2 File"},
		"neither is a file": {map[string][]byte{yaml: nil, yml: nil}, "", "", "2 File, Tree", "2 File"},
		"too large":         {map[string][]byte{yaml: []byte("a"), yml: long}, "", yml + ": the file has more than", "File, Tree", "File"},
		"in another folder": {map[string][]byte{"x/" + yml: []byte("a")}, "", "", "Tree", "2 File"},
		"empty":             {map[string][]byte{yml: {}}, yml, "", "File, Tree", "File"},
	} {
		n++
		commit := fmt.Sprint("c", n)
		h := &host{commits: map[string]map[string][]byte{commit: c.files}}
		for range 2 { // from the host, then from what is kept
			at, err := r.At(t.Context(), h, place, commit)
			if err != nil || at.Config.Name != c.want || string(at.Config.Text) != string(c.files[c.want]) || !strings.Contains(at.Mistakes.Error(), c.mistake) || len(at.Mistakes) > 0 != (c.mistake != "") {
				t.Errorf("%s: got %q, %v, %v", name, at.Config, at.Mistakes, err)
			}
		}
		if got := h.take(); got != c.tree {
			t.Errorf("%s: calls %s, want %s", name, got, c.tree)
		}
		for range 2 {
			want := c.want
			if want != "" {
				want += " (main)"
			}
			file, mistakes, err := r.ConfigAt(t.Context(), h, place, vcshost.Branch{Name: "main", SHA: commit})
			if err != nil || file.Name != want || string(file.Text) != string(c.files[c.want]) || !strings.Contains(mistakes.Error(), c.mistake) || len(mistakes) > 0 != (c.mistake != "") {
				t.Errorf("%s, of the default branch: got %q, %v, %v", name, file, mistakes, err)
			}
		}
		if got := h.take(); got != c.config {
			t.Errorf("%s, of the default branch: calls %s, want %s", name, got, c.config)
		}
	}
}

// objects returns the names of what is kept.
func (r rig) objects(t *testing.T) []string {
	t.Helper()
	out, err := r.env.S3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &r.Objects.Name})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range out.Contents {
		names = append(names, *o.Key)
	}
	return names
}

func (r rig) read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := r.Objects.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (r rig) write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := r.Objects.Put(t.Context(), name, text); err != nil {
		t.Fatal(err)
	}
}

func TestObjectThatIsMissingOrDamagedIsReadFromTheHostAgain(t *testing.T) {
	t.Parallel()
	r, h := open(t), small()
	at, config, changed := all(t, r.Source, h, place)
	h.take()
	names := r.objects(t)
	if want := []string{"evaluations/github/42/7/changes/c0...c1", "evaluations/github/42/7/config/c0", "evaluations/github/42/7/tree/c1"}; !slices.Equal(names, want) {
		t.Fatalf("objects %q, want %q", names, want)
	}
	whole := map[string][]byte{}
	for _, name := range names {
		whole[name] = r.read(t, name)
	}
	for name, damage := range map[string]func([]byte) []byte{
		"empty":     func([]byte) []byte { return nil },
		"no gzip":   func([]byte) []byte { return []byte("<html>") },
		"cut":       func(b []byte) []byte { return b[:len(b)-9] },
		"one digit": func(b []byte) []byte { b = bytes.Clone(b); b[len(b)-6] ^= 1; return b }, // of the checksum
		"no head":   func([]byte) []byte { return packed(t, "a\x00") },
		"too few":   func([]byte) []byte { return packed(t, `{"paths":2}`+"\na\x00") },
		"too many":  func([]byte) []byte { return packed(t, `{"paths":0}`+"\na\x00") },
		"wrong":     func([]byte) []byte { return packed(t, `{"paths":"1"}`+"\na\x00") },
	} {
		for object, text := range whole {
			r.write(t, object, damage(text))
		}
		at2, config2, changed2 := all(t, r.Source, h, place)
		if !reflect.DeepEqual(at2, at) || !reflect.DeepEqual(config2, config) || !slices.Equal(changed2, changed) {
			t.Errorf("%s: read back as %v, %v, %v", name, at2, config2, changed2)
		}
		if got := h.take(); got != "Changes, 2 File, Tree" {
			t.Errorf("%s: calls %q", name, got)
		}
		for object, text := range whole {
			if !bytes.Equal(r.read(t, object), text) {
				t.Errorf("%s: %s was not mended", name, object)
			}
		}
	}
}

func TestFailuresOfHostAndStorageAreErrorsAndKeepNothing(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	clean := rig{over(env), env}
	down := errors.New("down")
	for n, method := range []string{"Tree", "File", "Changes"} {
		h := small()
		h.fails = map[string]error{method: down}
		of := source.Place{Repository: place.Repository.Installation.Repository(vcs.ID(fmt.Sprint(n + 10))), Described: place.Described}
		_, at := clean.At(t.Context(), h, of, "c1")
		_, _, config := clean.ConfigAt(t.Context(), h, of, main)
		_, _, changed := clean.Changed(t.Context(), h, of, "c0", "c1")
		if errors.Is(at, down) != (method != "Changes") || errors.Is(config, down) != (method == "File") || errors.Is(changed, down) != (method == "Changes") {
			t.Errorf("%s: got %v, %v, %v", method, at, config, changed)
		}
	}
	if _, err := clean.At(t.Context(), small(), place, "gone"); !errors.Is(err, vcshost.ErrGone) {
		t.Errorf("a commit that is gone: %v", err)
	}
	for _, operation := range []string{"s3:GET", "s3:PUT"} {
		faults := &storagetest.Faults{}
		faults.Add(storagetest.Fault{Operation: operation, Kind: storagetest.ServerError})
		s := over(env.WithFaults(faults))
		other := source.Place{Repository: place.Repository.Installation.Repository("9"), Described: place.Described}
		if _, err := s.At(t.Context(), small(), other, "c1"); err == nil {
			t.Errorf("%s fails: no error", operation)
		}
	}
	want := []string{ // what did not fail
		"evaluations/github/42/10/changes/c0...c1", "evaluations/github/42/10/config/c0",
		"evaluations/github/42/11/changes/c0...c1", "evaluations/github/42/12/config/c0", "evaluations/github/42/12/tree/c1",
	}
	if got := clean.objects(t); !slices.Equal(got, want) {
		t.Errorf("%q is kept, want %q", got, want)
	}
}

func TestWhatIsTooLargeIsAMistakeAndAskedForOnce(t *testing.T) {
	t.Parallel()
	r := open(t)
	long := strings.Repeat("d", 1<<20)
	paths := &host{commits: map[string]map[string][]byte{"c1": {}}, changes: map[string][]vcshost.FileChange{}}
	for i := range 33 {
		path := fmt.Sprint(i, long)
		paths.commits["c1"][path] = nil
		paths.changes["c0...c1"] = append(paths.changes["c0...c1"], vcshost.FileChange{Path: path})
	}
	many := &host{fails: map[string]error{"Tree": fmt.Errorf("read: %w", vcshost.ErrTooLarge), "Changes": vcshost.ErrTooLarge}}
	for n, h := range []*host{paths, many} {
		p := source.Place{Repository: place.Repository.Installation.Repository(vcs.ID(fmt.Sprint(n + 10))), Described: place.Described}
		for range 2 {
			at, err := r.At(t.Context(), h, p, "c1")
			if err != nil || !strings.Contains(at.Mistakes.Error(), "the repository: it has more than 200000 files") || at.Files != nil {
				t.Errorf("%d: files: %v, %v", n, at.Mistakes, err)
			}
			changed, mistakes, err := r.Changed(t.Context(), h, p, "c0", "c1")
			if err != nil || len(mistakes) != 1 || changed != nil {
				t.Errorf("%d: changes: %d, %v, %v", n, len(changed), mistakes, err)
			}
		}
		if got := h.take(); got != "Changes, Tree" {
			t.Errorf("%d: calls %s", n, got)
		}
	}
}
