package docs_test

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// packageRow is a row of the lists of packages in architecture.md.
var packageRow = regexp.MustCompile("(?m)^\\| `((?:shared|functions|infra)/[a-z0-9/-]+)` \\| [^|]+ \\|$")

// TestArchitecturePageListsEveryPackage compares the lists of packages in
// architecture.md with the folders that hold Go source, in both directions.
func TestArchitecturePageListsEveryPackage(t *testing.T) {
	t.Parallel()
	var listed []string
	for _, row := range packageRow.FindAllStringSubmatch(read(t, "architecture.md"), -1) {
		if slices.Contains(listed, row[1]) {
			t.Errorf("architecture.md lists %s twice", row[1])
		}
		listed = append(listed, row[1])
	}
	var present []string
	for _, chapter := range []string{"shared", "functions", "infra"} {
		err := filepath.WalkDir(filepath.Join("..", chapter), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() && entry.Name() == "testdata" {
				return filepath.SkipDir
			}
			if !entry.IsDir() && strings.HasSuffix(path, ".go") {
				folder, _ := strings.CutPrefix(filepath.ToSlash(filepath.Dir(path)), "../")
				if !slices.Contains(present, folder) {
					present = append(present, folder)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range present {
		if !slices.Contains(listed, folder) {
			t.Errorf("architecture.md does not list the package %s", folder)
		}
	}
	for _, folder := range listed {
		if !slices.Contains(present, folder) {
			t.Errorf("architecture.md lists %s, which holds no Go source", folder)
		}
	}
}
