package githubhost_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// filesOf returns what Tree must return for a commit: all files but submodules.
func filesOf(r *rig, commit string) (list []vcshost.File) {
	files, _ := r.content.Files(commit)
	for _, f := range files {
		if f.Mode != "160000" {
			list = append(list, vcshost.File{Path: f.Path, ID: f.ID})
		}
	}
	return list
}

func byPath(a, b vcshost.File) int { return strings.Compare(a.Path, b.Path) }

func TestTreeHasFilesAndLinksButNoSubmodules(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	files, _ := r.content.Files(r.base)
	commit := r.content.CommitFiles("main", map[string]vcstest.File{
		"modules/vpc": {Mode: "160000", ID: r.first}, "link": {Mode: "120000", ID: files[0].ID}, "run.sh": {Mode: "100755", ID: files[0].ID},
	})
	got, err := r.client.Tree(t.Context(), infra, commit)
	if want := filesOf(r, commit); err != nil || !reflect.DeepEqual(got, want) || len(got) != 5 {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if got, err := r.client.Tree(t.Context(), infra, "0000"); !errors.Is(err, vcshost.ErrGone) {
		t.Errorf("of a commit that is gone: got %+v, %v", got, err)
	}
}

func TestTruncatedTreeIsReadDirectoryByDirectory(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.host.MaxTree = 30
	changes := map[string][]byte{"top.tf": []byte("top")}
	for i := range 4 {
		for j := range 5 {
			for k := range 7 { // 5 × (1 + 7) entries are more than 30
				changes[fmt.Sprintf("d%d/e%d/f%d.tf", i, j, k)] = fmt.Appendf(nil, "%d %d %d", i, j, k)
			}
		}
	}
	commit := r.content.Commit("main", changes)
	before := r.requests()
	got, err := r.client.Tree(t.Context(), infra, commit)
	slices.SortFunc(got, byPath)
	if want := filesOf(r, commit); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %d files, %v, want %d", len(got), err, len(want))
	}
	// Whole and top; the directories a and b; 4 directories, each whole and top, and its 5 directories.
	if n := r.requests() - before; n != 2+2+4*(2+5) {
		t.Errorf("%d requests were sent, want 32", n)
	}
}

func TestTreeWithTooManyFilesOrDirectoriesIsRefused(t *testing.T) {
	t.Parallel()
	listed := func(kind string, n int, truncated bool) string {
		one := make([]string, n)
		for i := range one {
			one[i] = fmt.Sprintf(`{"path":"f%d","type":%q,"sha":"1","mode":"100644"}`, i, kind)
		}
		return fmt.Sprintf(`{"truncated":%t,"tree":[%s]}`, truncated, strings.Join(one, ","))
	}
	for name, c := range map[string]struct {
		bodies   []string
		requests int
	}{
		"files":               {[]string{listed("blob", vcshost.MaxFiles+1, false)}, 1},
		"directories":         {[]string{listed("blob", 1, true), listed("tree", 1_000, false)}, 2},
		"truncated directory": {[]string{listed("blob", 1, true), listed("blob", 1, true)}, 2},
	} {
		r := newRig(t)
		for _, body := range c.bodies {
			r.host.Fail(vcstest.Failure{Match: "/git/trees/", Times: 1, Status: 200, Body: body})
		}
		got, err := r.client.Tree(t.Context(), infra, r.base)
		if n := r.requests(); !errors.Is(err, vcshost.ErrTooLarge) || n != c.requests {
			t.Errorf("%s: got %d files, %v, with %d requests, want %d", name, len(got), err, n, c.requests)
		}
	}
}

func TestFailureOfADirectoryIsAFailureOfTheTree(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.host.MaxTree = 2
	changes := map[string][]byte{}
	for i := range 50 {
		changes[fmt.Sprintf("d%d/f", i)] = []byte("f")
	}
	commit := r.content.Commit("main", changes)
	if got, err := r.client.Tree(t.Context(), infra, commit); err != nil || len(got) != 53 {
		t.Fatalf("got %d files, %v", len(got), err)
	}
	tip := "GET /repos/acme/infra/git/trees/" + commit
	for status, check := range map[int]func(error) bool{429: limitedTo(time.Second, time.Hour), 404: func(err error) bool { return errors.Is(err, vcshost.ErrGone) }} {
		var below atomic.Int32
		r.host.Choose(func(line string) *vcstest.Failure {
			if line != tip && below.Add(1) == 20 {
				return &vcstest.Failure{Status: status}
			}
			return nil
		})
		if got, err := r.client.Tree(t.Context(), infra, commit); !check(err) || got != nil {
			t.Errorf("%d: got %d files, %v", status, len(got), err)
		}
	}
}

func TestOddTreeIsNoTree(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, body := range []string{`{}`, `null`, `{"tree":null}`, `{"tree":[{"path":"a","type":"blob"}]}`, `{"tree":[{"path":"a","sha":"1"}]}`, `{"tree":[{"type":"blob","sha":"1"}]}`, `[]`, ``} {
		r.host.Fail(vcstest.Failure{Match: "/git/trees/", Times: 1, Status: 200, Body: body})
		if got, err := r.client.Tree(t.Context(), infra, r.base); err == nil {
			t.Errorf("%s: got %+v", body, got)
		}
	}
}
