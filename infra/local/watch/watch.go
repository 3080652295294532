// Package watch tells when the source of the functions changes. A burst of
// changes, such as a checkout or an editor's save, is one change.
package watch

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// quiet is how long nothing may happen before a change is told.
const quiet = 100 * time.Millisecond

// Change is what happened since the last one.
type Change struct {
	Source   bool // code, or what is compiled into it
	Template bool // template.yaml
}

// Watch tells of changes below the repository root until ctx ends; then it
// closes the channel. Tests, and what functions are not made of, do not count.
func Watch(ctx context.Context, root string) (<-chan Change, error) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	if err := add(watcher, root, root); err != nil {
		_ = watcher.Close()
		return nil, err
	}
	changes := make(chan Change)
	go func() {
		defer close(changes)
		defer func() { _ = watcher.Close() }()
		run(ctx, watcher, root, changes)
	}()
	return changes, nil
}

func run(ctx context.Context, watcher *fsnotify.Watcher, root string, changes chan<- Change) {
	var pending Change
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		var ready chan<- Change
		select {
		case <-ctx.Done():
			return
		case <-watcher.Errors:
			// Events were lost: something changed.
			pending.Source = true
			timer.Reset(quiet)
			continue
		case event := <-watcher.Events:
			if note(&pending, watcher, root, event) {
				timer.Reset(quiet)
			}
			continue
		case <-timer.C:
			if pending != (Change{}) {
				ready = changes
			}
		}
		if ready == nil {
			continue
		}
		select {
		case ready <- pending:
			pending = Change{}
		case <-ctx.Done():
			return
		}
	}
}

// note adds an event to the pending change and says whether it counts.
func note(pending *Change, watcher *fsnotify.Watcher, root string, event fsnotify.Event) bool {
	if event.Op == fsnotify.Chmod {
		return false
	}
	name := filepath.Base(event.Name)
	inRoot := filepath.Dir(event.Name) == root
	info, err := os.Stat(event.Name)
	switch {
	case err == nil && info.IsDir():
		if skipDir(root, event.Name) {
			return false
		}
		// A new folder may have got files before it was watched.
		_ = add(watcher, root, event.Name)
	case inRoot && name == "template.yaml":
		pending.Template = true
		return true
	case inRoot && name != "go.mod" && name != "go.sum", skipFile(name):
		return false
	}
	pending.Source = true
	return true
}

// add watches a folder and those in it.
func add(watcher *fsnotify.Watcher, root, dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil && path == dir:
			return err
		case err != nil || !entry.IsDir():
			return nil // a file, or a folder that went away meanwhile
		case skipDir(root, path):
			return filepath.SkipDir
		}
		return watcher.Add(path)
	})
}

// skipDir leaves out what no function is made of.
func skipDir(root, path string) bool {
	if path == root {
		return false
	}
	name := filepath.Base(path)
	if strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules" {
		return true
	}
	if filepath.Dir(path) != root {
		return false
	}
	return name == "infra" || name == "events" || name == "bin" || name == "web"
}

// skipFile leaves out tests and what editors leave behind.
func skipFile(name string) bool {
	return strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "#") ||
		strings.HasSuffix(name, "~") || strings.HasSuffix(name, ".swp") || strings.HasSuffix(name, ".tmp") || name == "4913"
}
