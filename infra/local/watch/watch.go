// Package watch reports when the source of the functions changes. A burst of changes, such as a
// checkout or an editor's save, counts as one change.
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

// quiet is how long nothing must happen before a change is reported.
const quiet = 100 * time.Millisecond

// Change says what has changed since the last one.
type Change struct {
	Source   bool // code, or a file that is compiled into it
	Template bool // template.yaml
}

// Watch reports changes below the repository root until ctx ends. Then it closes the channel.
// It ignores tests and files that no function is built from.
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
			// Events were lost, so something has changed.
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

// note adds an event to the pending change and reports whether the event counts.
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
		// A new folder may have received files before it was watched.
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

// add watches a folder and all folders in it.
func add(watcher *fsnotify.Watcher, root, dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil && path == dir:
			return err
		case err != nil || !entry.IsDir():
			return nil // a file, or a folder that was removed meanwhile
		case skipDir(root, path):
			return filepath.SkipDir
		}
		return watcher.Add(path)
	})
}

// skipDir reports whether no function is built from a folder.
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

// skipFile reports whether a file is a test or a temporary file of an editor.
func skipFile(name string) bool {
	return strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "#") ||
		strings.HasSuffix(name, "~") || strings.HasSuffix(name, ".swp") || strings.HasSuffix(name, ".tmp") || name == "4913"
}
