package gitlabhost_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func TestFileIsReadAtItsCommit(t *testing.T) {
	t.Parallel()
	client, _, content := withContent(t)
	const path = ".terrateam/a b/ü%2F.yml"
	first := content.Commit("main", map[string][]byte{path: []byte("first"), "empty": {}})
	second := content.Commit("main", map[string][]byte{path: []byte("second")})
	for commit, want := range map[string]string{first: "first", second: "second"} {
		if got, err := client.File(t.Context(), infra, path, commit); err != nil || string(got) != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	if got, err := client.File(t.Context(), infra, "empty", first); err != nil || len(got) != 0 {
		t.Errorf("an empty file: got %q, %v", got, err)
	}
	for _, missing := range [][2]string{{"other", first}, {path, "0123"}} {
		if got, err := client.File(t.Context(), infra, missing[0], missing[1]); !errors.Is(err, vcshost.ErrGone) {
			t.Errorf("%v: got %q, %v", missing, got, err)
		}
	}
}

func TestFileHasAMaximumSize(t *testing.T) {
	t.Parallel()
	client, _, content := withContent(t)
	for size, large := range map[int]bool{vcshost.MaxFileBytes: false, vcshost.MaxFileBytes + 1: true, 20 << 20: true} {
		commit := content.Commit("main", map[string][]byte{"large": bytes.Repeat([]byte("x"), size)})
		got, err := client.File(t.Context(), infra, "large", commit)
		if errors.Is(err, vcshost.ErrTooLarge) != large || !large && (err != nil || len(got) != size) {
			t.Errorf("%d bytes: got %d bytes, %v", size, len(got), err)
		}
	}
}

// many returns changes that add a number of files in several directories, and the files that
// Tree should return for them.
func many(n int) map[string][]byte {
	files := map[string][]byte{}
	for i := range n {
		files[fmt.Sprintf("dir%d/file%d.tf", i%7, i)] = fmt.Append(nil, i)
	}
	return files
}

func wantTree(content *vcstest.Memory, commit string) []vcshost.File {
	files, _ := content.Files(commit)
	var want []vcshost.File
	for _, f := range files {
		want = append(want, vcshost.File{Path: f.Path, ID: f.ID})
	}
	return want
}

func TestTreeHasAllFilesAndNoSubmodules(t *testing.T) {
	t.Parallel()
	client, host, content := withContent(t)
	plain := content.Commit("main", map[string][]byte{"a/b/c.tf": []byte("1"), "d.tf": []byte("2")})
	want := wantTree(content, plain)
	want = append(want, vcshost.File{Path: "zlink", ID: "abc"})
	commit := content.CommitFiles("main", map[string]vcstest.File{
		"module": {Mode: "160000", ID: "def"}, "zlink": {Mode: "120000", ID: "abc"},
	})
	if got, err := client.Tree(t.Context(), infra, commit); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if n := host.Asked("GET "); n != 1 {
		t.Errorf("a small tree took %d requests, want 1", n)
	}
	if got, err := client.Tree(t.Context(), infra, "0123"); !errors.Is(err, vcshost.ErrGone) {
		t.Errorf("of a commit that does not exist: got %v, %v", got, err)
	}
}

func TestLargeTreeIsReadWithTwoRequestsOrElseByPages(t *testing.T) {
	t.Parallel()
	const n = 530 // with the directories above them: more than five pages
	whole := func(f vcstest.Failure) func(int) *vcstest.Failure {
		return func(asked int) *vcstest.Failure {
			if asked >= 2 && asked < 2+max(1, f.Times) {
				return &f
			}
			return nil
		}
	}
	for name, c := range map[string]struct {
		choose func(asked int) *vcstest.Failure
		asked  int
	}{
		"whole tree":                     {func(int) *vcstest.Failure { return nil }, 2},
		"GitLab that has only pages":     {whole(vcstest.Failure{Status: 400, Body: `{"error":"pagination does not have a valid value"}`}), 7},
		"GitLab that fails at the whole": {whole(vcstest.Failure{Status: 503, Times: 3}), 9},
		"half of the whole":              {whole(vcstest.Failure{Status: 200, Body: `[{"id":"1","type":"blob","path":"a","mode":"100644"},`}), 7},
		"whole that is no list":          {whole(vcstest.Failure{Status: 200, Body: `{}`}), 7},
		"entry without a path":           {whole(vcstest.Failure{Status: 200, Body: `[{"id":"1","type":"blob","mode":"100644"}]`}), 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, host, content := withContent(t)
			commit := content.Commit("main", many(n))
			asked := 0
			host.Choose(func(string) *vcstest.Failure {
				asked++
				return c.choose(asked)
			})
			want := wantTree(content, commit)
			if got, err := client.Tree(t.Context(), infra, commit); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %d files, %v, want %d", len(got), err, len(want))
			}
			if asked != c.asked {
				t.Errorf("asked %d times, want %d", asked, c.asked)
			}
		})
	}
}

func TestPagesOfATreeAreFollowedByTheirNumbersWhereGitLabNamesThem(t *testing.T) {
	t.Parallel()
	client, host, _ := withContent(t)
	asked := 0
	host.Choose(func(string) *vcstest.Failure {
		asked++
		var header http.Header
		switch asked {
		case 1:
			header = http.Header{"X-Next-Page": {"2"}}
		case 2: // it asks for the whole tree
			return &vcstest.Failure{Status: 400, Body: `{}`}
		}
		return &vcstest.Failure{Status: 200, Header: header, Body: fmt.Sprintf(`[{"id":"1","type":"blob","path":"%d","mode":"100644"}]`, asked)}
	})
	want := []vcshost.File{{Path: "1", ID: "1"}, {Path: "3", ID: "1"}}
	if got, err := client.Tree(t.Context(), infra, "c1"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestTreeThatCannotBeReadWholeIsAnError(t *testing.T) {
	t.Parallel()
	const entry = `{"id":"1","type":"blob","path":"a","mode":"100644"}`
	itself := http.Header{"Link": {`<https://gitlab.example.com/api/v4/projects/7/repository/tree?page_token=x>; rel="next"`}}
	for name, c := range map[string]struct {
		failure vcstest.Failure
		is      error
	}{
		"page that names itself":       {vcstest.Failure{Status: 200, Header: itself, Body: `[` + entry + `]`}, vcshost.ErrEndless},
		"number that leads back":       {vcstest.Failure{Status: 200, Header: http.Header{"X-Next-Page": {"1"}}, Body: `[` + entry + `]`}, vcshost.ErrEndless},
		"no list":                      {vcstest.Failure{Status: 200, Body: `null`}, nil},
		"entry without an id":          {vcstest.Failure{Status: 200, Body: `[{"type":"blob","path":"a","mode":"100644"}]`}, nil},
		"entry without a mode":         {vcstest.Failure{Status: 200, Body: `[{"id":"1","type":"blob","path":"a"}]`}, nil},
		"limit after the first page":   {vcstest.Failure{Status: 429, Body: `{}`}, nil},
		"refusal after the first page": {vcstest.Failure{Status: 401, Body: `{}`}, vcshost.ErrRefused},
	} {
		client, host, content := withContent(t)
		commit := content.Commit("main", many(120))
		asked, second := 0, strings.HasSuffix(name, "after the first page")
		host.Choose(func(string) *vcstest.Failure {
			asked++
			switch {
			case second && asked == 1:
				return nil
			case !second && asked == 2:
				return &vcstest.Failure{Status: 400, Body: `{}`}
			}
			return &c.failure
		})
		if got, err := client.Tree(t.Context(), infra, commit); err == nil || c.is != nil && !errors.Is(err, c.is) || second && asked != 2 {
			t.Errorf("%s: got %d files, %v after %d requests", name, len(got), err, asked)
		}
	}
}

func TestTreeHasAMaximumNumberOfFilesAndNotOfBytes(t *testing.T) {
	t.Parallel()
	list := func(path string, files int) string {
		entry := fmt.Sprintf(`{"id":"1","type":"blob","path":"%s","mode":"100644"},`, path)
		return "[" + strings.TrimSuffix(strings.Repeat(entry, files), ",") + "]\n"
	}
	for name, c := range map[string]struct {
		body  string
		files int // 0: too many
	}{
		"20 MB":        {list(strings.Repeat("d", 20<<10), 1000), 1000},
		"one too many": {list("a", vcshost.MaxFiles+1), 0},
	} {
		client, host, _ := withContent(t)
		asked := 0
		host.Choose(func(string) *vcstest.Failure {
			if asked++; asked == 1 {
				return &vcstest.Failure{Status: 200, Header: http.Header{"X-Next-Page": {"2"}}, Body: `[]`}
			}
			return &vcstest.Failure{Status: 200, Body: c.body}
		})
		got, err := client.Tree(t.Context(), infra, "c1")
		if errors.Is(err, vcshost.ErrTooLarge) != (c.files == 0) || c.files != 0 && err != nil || len(got) != c.files || asked != 2 {
			t.Errorf("%s: got %d files, %v after %d requests", name, len(got), err, asked)
		}
	}
}
