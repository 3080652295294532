package docs_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/repoconfig"
)

// configuration is a block with a configuration file. Its first line names the file.
var configuration = regexp.MustCompile("(?ms)^```yaml\n# \\.terrateam/config\\.yml\n(.*?)^```")

func TestConfigurationsOfTheGuidesAreValid(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range pages {
		text := read(t, page)
		for _, at := range configuration.FindAllStringSubmatchIndex(text, -1) {
			found++
			// Empty lines give the mistakes the line numbers of the page.
			lines := strings.Repeat("\n", strings.Count(text[:at[2]], "\n"))
			if _, err := repoconfig.LoadDefaultBranch(repoconfig.File{Name: page, Text: []byte(lines + text[at[2]:at[3]])}); err != nil {
				t.Errorf("%s has a configuration that the server refuses:\n%v", page, err)
			}
		}
	}
	if found == 0 {
		t.Error("no page has a configuration: the form of the blocks has changed")
	}
}
