package githubhost_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func TestFileIsReadAtACommit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	odd := "a b/ü#?%25+.tf"
	long := bytes.Repeat([]byte("0123456789abcdef"), vcshost.MaxFileBytes/16)
	commit := r.content.Commit("main", map[string][]byte{odd: []byte("odd"), "empty": {}, "long": long})
	for _, c := range []struct{ path, commit, want string }{
		{"a/main.tf", r.first, "old"},
		{"a/main.tf", r.base, "a"},
		{"a/main.tf", r.head, "new"},
		{odd, commit, "odd"},
		{"empty", commit, ""},
		{"long", commit, string(long)},
	} {
		if got, err := r.client.File(t.Context(), infra, c.path, c.commit); err != nil || string(got) != c.want {
			t.Errorf("%s: got %d bytes, %v, want %d", c.path, len(got), err, len(c.want))
		}
	}
}

func TestWhatIsNoFileIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	commit := r.content.CommitFiles("main", map[string]vcstest.File{"module": {Mode: "160000", ID: r.first}})
	before := r.requests()
	for _, path := range []string{"", "/", "/a/main.tf", "a/", "a//main.tf", "../infra/a", "a/../c.tf", ".", "a/."} {
		if got, err := r.client.File(t.Context(), infra, path, commit); !errors.Is(err, vcshost.ErrGone) {
			t.Errorf("%q: got %q, %v", path, got, err)
		}
	}
	if n := r.requests() - before; n != 0 {
		t.Errorf("%d requests were sent for paths that no file has", n)
	}
	for _, path := range []string{"a", "module", "a/other.tf", "a/main.tf/x"} {
		if got, err := r.client.File(t.Context(), infra, path, commit); !errors.Is(err, vcshost.ErrGone) {
			t.Errorf("%q: got %q, %v", path, got, err)
		}
	}
	if got, err := r.client.File(t.Context(), infra, "a/main.tf", "0000"); !errors.Is(err, vcshost.ErrGone) {
		t.Errorf("of a commit that is gone: got %q, %v", got, err)
	}
}

func TestFileThatIsTooLargeIsNotRead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	commit := r.content.Commit("main", map[string][]byte{"large": make([]byte, vcshost.MaxFileBytes+1)})
	if got, err := r.client.File(t.Context(), infra, "large", commit); !errors.Is(err, vcshost.ErrTooLarge) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

func TestOddAnswerIsNoFile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, body := range []string{
		`{"type":"file","size":3,"encoding":"none","content":""}`, `{"type":"file","size":3,"encoding":"base64","content":"YQ=="}`,
		`{"type":"file","size":1,"encoding":"base64","content":"?"}`, `"text"`, `7`, `{"type":`, ``,
	} {
		r.host.Fail(vcstest.Failure{Match: "/contents/", Times: 1, Status: 200, Body: body})
		if got, err := r.client.File(t.Context(), infra, "a/main.tf", r.base); err == nil || errors.Is(err, vcshost.ErrGone) {
			t.Errorf("%s: got %q, %v", body, got, err)
		}
	}
}
