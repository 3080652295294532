package shorten_test

import (
	"testing"

	"github.com/opsplane/opsplane/shared/vcs/shorten"
)

func TestTextIsCutBetweenTwoCharacters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text       string
		most       int
		head, tail string
	}{
		{"", 0, "", ""},
		{"abc", 3, "abc", "abc"},
		{"abc", 2, "ab", "bc"},
		{"aéb", 4, "aéb", "aéb"},
		{"aéb", 3, "aé", "éb"},
		{"aéb", 2, "a", "b"},
		{"日本", 5, "日", "本"},
		{"日本", 3, "日", "本"},
		{"日本", 2, "", ""},
		{"日本", 0, "", ""},
	} {
		if head, tail := shorten.Head(c.text, c.most), shorten.Tail(c.text, c.most); head != c.head || tail != c.tail {
			t.Errorf("%q to %d bytes: got %q and %q, want %q and %q", c.text, c.most, head, tail, c.head, c.tail)
		}
	}
}
