//go:build unix

package stack

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opsplane/opsplane/infra/local/build"
	"github.com/opsplane/opsplane/infra/local/watch"
	"github.com/opsplane/opsplane/infra/test/template"
)

// reload builds the source after each change and replaces the functions, until ctx ends. If the
// source does not compile, or a new binary does not start, the last good one keeps serving.
func (s *stack) reload(ctx context.Context, changes <-chan watch.Change) {
	for change := range changes {
		if change.Template {
			s.Console.Say("template.yaml changed: start the stack again to see it")
		}
		if change.Source {
			s.rebuild(ctx)
		}
	}
}

func (s *stack) rebuild(ctx context.Context) {
	started := time.Now()
	paths, err := s.builder.Build(ctx)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		var broken *build.Error
		if errors.As(err, &broken) {
			for line := range strings.SplitSeq(broken.Output, "\n") {
				s.Console.Say("%s", line)
			}
			s.Console.Say("the source does not compile: the last good build goes on")
			return
		}
		s.Console.Say("the last good build goes on: %v", err)
		return
	}
	swapped := s.swap(ctx, paths)
	if len(swapped) > 0 {
		slices.Sort(swapped)
		s.Console.Say("serving the new %s after %.1f s", strings.Join(swapped, ", "), time.Since(started).Seconds())
	}
	s.builder.Clean(s.built)
}

// swap replaces the functions whose binary changed, and returns their groups.
func (s *stack) swap(ctx context.Context, paths map[string]string) []string {
	changed := slices.DeleteFunc(slices.Clone(s.template.Functions), func(f template.Function) bool {
		return paths[f.Group] == s.built[f.Group]
	})
	var mu sync.Mutex
	var swapped []string
	var wg sync.WaitGroup
	for _, f := range changed {
		wg.Go(func() {
			path := paths[f.Group]
			err := s.functions[f.LogicalID].Replace(ctx, path)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				s.Console.Say("the new %s does not start, the last good build goes on: %v", f.Group, err)
				return
			}
			s.built[f.Group] = path
			swapped = append(swapped, f.Group)
		})
	}
	wg.Wait()
	return swapped
}
