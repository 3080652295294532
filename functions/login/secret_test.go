package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestSecretIsReadFromItsFileAndRememberedForAWhile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := time.Unix(4_000_000_000, 0)
	s := &secrets{now: func() time.Time { return at }}
	write("old\n")
	for _, c := range []struct {
		after time.Duration
		want  []string
	}{{0, []string{"old"}}, {secretAge - 1, []string{"old"}}, {1, []string{"new", "old"}}} {
		at = at.Add(c.after)
		got, err := s.list("file:" + path)(t.Context())
		if err != nil || len(got) != len(c.want) || string(got[0]) != c.want[0] {
			t.Errorf("after %v: got %q, %v; want %q", c.after, got, err, c.want)
		}
		write("new old\n")
	}
	for _, reference := range []string{"", "file:" + path + "x"} {
		if got, err := s.text(reference)(t.Context()); err == nil {
			t.Errorf("%q: got %q, want an error", reference, got)
		}
	}
}
