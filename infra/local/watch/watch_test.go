package watch

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestChanges(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"functions/kv", "shared/kv", "infra/local", ".local", "docs"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	changes, err := Watch(ctx, root)
	if err != nil {
		t.Fatal(err)
	}
	write := func(names ...string) {
		t.Helper()
		for _, name := range names {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		files []string
		want  Change
	}{
		"function":        {[]string{"functions/kv/main.go"}, Change{Source: true}},
		"shared":          {[]string{"shared/kv/get.go"}, Change{Source: true}},
		"embedded":        {[]string{"docs/openapi.json"}, Change{Source: true}},
		"module":          {[]string{"go.mod"}, Change{Source: true}},
		"template":        {[]string{"template.yaml"}, Change{Template: true}},
		"a burst":         {[]string{"shared/kv/a.go", "shared/kv/b.go", "template.yaml"}, Change{true, true}},
		"a new folder":    {[]string{"shared/fresh/deep/x.go"}, Change{Source: true}},
		"nothing of ours": {[]string{"shared/kv/get_test.go", "infra/local/x.go", ".local/db", "README.md", "functions/kv/.main.go.swp"}, Change{}},
	} {
		t.Run(name, func(t *testing.T) {
			write(c.files...)
			select {
			case got := <-changes:
				if got != c.want {
					t.Errorf("got %+v, want %+v", got, c.want)
				}
			case <-time.After(5 * quiet):
				if c.want != (Change{}) {
					t.Error("no change was told")
				}
			}
			// A folder that is new at the same time may be reported a second time.
			select {
			case <-changes:
			case <-time.After(2 * quiet):
			}
		})
	}
	cancel()
	for range changes {
	}
}
