package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/template"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var (
	// link is a Markdown link; its target is the first group.
	link = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	// fenced is a block of code, in which brackets are no links.
	fenced = regexp.MustCompile("(?ms)^```.*?^```")
)

func TestLinksLeadToFilesAndHeadings(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../README.md") {
		for _, found := range link.FindAllStringSubmatch(fenced.ReplaceAllString(read(t, page), ""), -1) {
			target, heading, _ := strings.Cut(found[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			path := page
			if target != "" {
				path = filepath.Join(filepath.Dir(page), target)
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s links to %s: %v", page, found[1], err)
			} else if heading != "" && !slices.Contains(headings(read(t, path)), heading) {
				t.Errorf("%s links to %s, where there is no such heading", page, found[1])
			}
		}
	}
}

var notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// headings lists the anchors of a page, as GitHub makes them.
func headings(page string) []string {
	var anchors []string
	for line := range strings.Lines(page) {
		if text := strings.TrimLeft(line, "#"); strings.HasPrefix(line, "#") && strings.HasPrefix(text, " ") {
			anchor := notInAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(text)), "")
			anchors = append(anchors, strings.ReplaceAll(anchor, " ", "-"))
		}
	}
	return anchors
}

var (
	// raised is where code makes a fault, lists one with its kind, or writes one as text.
	raised = regexp.MustCompile(`(?:Invalidf|Unprocessablef|TooLargef|Unsupportedf|Busyf|TooManyf)\(\s*"([A-Z_]+)"|"id":"([A-Z_]+)"|"([A-Z_]+)", (?:Kind: )?fault\.[A-Z]`)
	named  = regexp.MustCompile("`([A-Z_]{4,})`")
)

// TestEveryErrorIsNamedInTheListOfLimits holds security.md to the ids of
// errors that the functions and the gateway answer, both ways.
func TestEveryErrorIsNamedInTheListOfLimits(t *testing.T) {
	t.Parallel()
	_, section, found := strings.Cut(read(t, "security.md"), "\n## Limits\n")
	if !found {
		t.Fatal("security.md has no section Limits")
	}
	document := ids(named, section)
	code := ids(raised, read(t, "../template.yaml"))
	for _, root := range []string{"../functions", "../shared"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				code = append(code, ids(raised, read(t, path))...)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range code {
		if !slices.Contains(document, id) {
			t.Errorf("the section Limits of security.md does not name %s", id)
		}
	}
	for _, id := range document {
		if !slices.Contains(code, id) {
			t.Errorf("security.md names %s, which no code answers", id)
		}
	}
}

func ids(form *regexp.Regexp, text string) []string {
	var list []string
	for _, groups := range form.FindAllStringSubmatch(text, -1) {
		list = append(list, strings.Join(groups[1:], ""))
	}
	return list
}

// parameterRow is a row of the table of parameters: names, defaults, meaning.
var parameterRow = regexp.MustCompile("(?m)^\\| ((?:`[A-Z][A-Za-z]+`(?:, )?)+) \\| ([^|]*) \\| [^|]+ \\|$")

func TestTableOfParametersHasThoseOfTheTemplate(t *testing.T) {
	t.Parallel()
	loaded, err := template.Load("../template.yaml", template.Options{})
	if err != nil {
		t.Fatal(err)
	}
	section, _, _ := strings.Cut(read(t, "operations.md"), "\nOutputs: ")
	told := map[string]bool{}
	for _, row := range parameterRow.FindAllStringSubmatch(section, -1) {
		names, defaults := strings.Split(row[1], ", "), strings.Split(row[2], ", ")
		for i, name := range names {
			name = strings.Trim(name, "`")
			told[name] = true
			declared, ok := loaded.Defaults[name]
			// Where the column has a default for each name in figures or as code, it is the template's.
			if ok && len(defaults) == len(names) && strings.Trim(defaults[i], "`") != declared && declared != "" {
				t.Errorf("%s: operations.md says that its default is %s, the template %s", name, defaults[i], declared)
			}
			if !ok {
				t.Errorf("operations.md has the parameter %s, the template does not", name)
			}
		}
	}
	for name := range loaded.Defaults {
		if !told[name] {
			t.Errorf("operations.md lacks the parameter %s", name)
		}
	}
}
