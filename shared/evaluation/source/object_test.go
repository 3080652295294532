package source_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/evaluation/source"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// packed returns a text as the content of an object.
func packed(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestWhateverIsReadIsReadBack keeps files with any name that git allows, and any text.
func TestWhateverIsReadIsReadBack(t *testing.T) {
	t.Parallel()
	r := open(t)
	n := 0
	rapid.Check(t, func(c *rapid.T) {
		n++
		name := rapid.StringMatching(`[^\x00]{1,20}`)
		h := &host{commits: map[string]map[string][]byte{"c0": {}, "c1": {}}, changes: map[string][]vcshost.FileChange{}}
		for _, path := range rapid.SliceOfN(name, 0, 10).Draw(c, "files") {
			h.commits["c1"][path] = []byte{}
		}
		if rapid.Bool().Draw(c, "configured") {
			h.commits["c1"][yml] = rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(c, "config")
		}
		for _, path := range rapid.SliceOfN(name, 0, 10).Draw(c, "changed") {
			h.changes["c0...c1"] = append(h.changes["c0...c1"], vcshost.FileChange{Path: path})
		}
		of := source.Place{Repository: place.Repository.Installation.Repository(vcs.ID(fmt.Sprint(n))), Described: place.Described}
		at, config, changed := all(t, r.Source, h, of)
		asked := h.take()
		at2, config2, changed2 := all(t, r.Source, h, of)
		if !reflect.DeepEqual(at2, at) || !reflect.DeepEqual(config2, config) || !slices.Equal(changed2, changed) || len(at.Files) != len(h.commits["c1"]) {
			c.Fatalf("%v, %v, %q are read back as %v, %v, %q", at, config, changed, at2, config2, changed2)
		}
		if again := h.take(); asked == "" || again != "" {
			c.Fatalf("the calls were %q, then %q", asked, again)
		}
	})
}
