package installation_test

import (
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/vcs/installation"
)

func TestNameOfAGroupIsTheEndOfItsFullNameInWholeCharacters(t *testing.T) {
	t.Parallel()
	parent := strings.Repeat("p", installation.MaxName)
	for full, want := range map[string]string{
		"acme / platform":        "acme / platform",
		parent:                   parent,
		parent + " / runs":       parent[:installation.MaxName-len(" / runs")] + " / runs",
		strings.Repeat("日", 100): strings.Repeat("日", installation.MaxName/3),
		// 85 characters of three bytes are 255 bytes. With one byte more at the end,
		// the first character does not fit.
		strings.Repeat("日", 85) + "!": strings.Repeat("日", 84) + "!",
	} {
		if got := installation.NameOfGroup(full); got != want {
			t.Errorf("%.60q: got %q of %d bytes, want %q", full, got, len(got), want)
		}
	}
}
