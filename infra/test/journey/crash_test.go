//go:build unix

package journey

import (
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/template"
)

// recoveryLimit is the maximum time until the stack serves again, on a machine under load.
const recoveryLimit = 30 * time.Second

// role returns the role of a process: its program and first argument, or the group of a
// function. A group's folder has a folder for each version of the binary.
func role(p Process) string {
	program, arguments, _ := strings.Cut(p.Command, " ")
	if path.Base(program) == "bootstrap" {
		return path.Base(path.Dir(path.Dir(program)))
	}
	first, _, _ := strings.Cut(arguments, " ")
	return path.Base(program) + " " + first
}

// roles groups the stack's processes by their roles.
func roles(t *testing.T, s *Stack) map[string][]Process {
	t.Helper()
	all, err := s.Processes()
	if err != nil {
		t.Fatal(err)
	}
	groups := map[string][]Process{}
	for _, p := range all {
		groups[role(p)] = append(groups[role(p)], p)
	}
	return groups
}

// crew is a few writers that work at the same time.
type crew struct {
	writers []*writer
	stop    chan struct{}
	working sync.WaitGroup
}

func (c *crew) start() {
	c.stop = make(chan struct{})
	for _, w := range c.writers {
		c.working.Go(func() { w.run(c.stop) })
	}
}

func (c *crew) rest() {
	close(c.stop)
	c.working.Wait()
}

// progress waits until rounds of every writer have been acknowledged, counted from now on.
func (c *crew) progress(t *testing.T, since string, s *Stack) {
	t.Helper()
	const rounds = 3
	goals := map[*writer]int64{}
	for _, w := range c.writers {
		goals[w] = w.acknowledged.Load() + rounds
	}
	for deadline := time.Now().Add(recoveryLimit); ; time.Sleep(5 * time.Millisecond) {
		for w, goal := range goals {
			if w.acknowledged.Load() >= goal {
				delete(goals, w)
			}
		}
		if len(goals) == 0 {
			return
		}
		if time.Now().After(deadline) {
			c.rest()
			t.Fatalf("%d of %d writers got nothing acknowledged within %v of the end of %s; the stack printed:\n%s",
				len(goals), len(c.writers), recoveryLimit, since, s.Printed())
		}
	}
}

// The test has a stack of its own, because it kills the stack's processes.
func TestNothingAcknowledgedIsLostWhenAnyProcessIsKilled(t *testing.T) {
	t.Parallel()
	s := Start(t)
	tmpl, err := template.Load(s.programs.root+"/template.yaml", template.Options{})
	if err != nil {
		t.Fatal(err)
	}
	client := s.Client(s.APIKey)
	c := &crew{}
	for name, pad := range map[string]string{"small": "", "small too": "", "large": strings.Repeat("x", 100<<10)} {
		c.writers = append(c.writers, &writer{
			client: client, in: Installation{VCS: "github", ID: "1"}, name: name, pad: pad, rows: map[int]bool{},
		})
	}
	c.start()
	c.progress(t, "nothing", s)
	// These requests start processes of every function.
	client.Do(t, "GET", "/api/v1/whoami", "").Want(t, 200)
	s.Do(t, Request{Method: "GET", Target: "/health"}).Want(t, 200)
	groups := roles(t, s)
	if want := len(tmpl.Functions) + 2; len(groups) < want {
		t.Errorf("got processes of %d kinds, want the %d functions' and two servers': %v", len(groups), len(tmpl.Functions), slices.Sorted(maps.Keys(groups)))
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		victims := roles(t, s)[name]
		start := time.Now()
		for _, p := range victims {
			_ = syscall.Kill(p.PID, syscall.SIGKILL)
		}
		c.progress(t, name, s)
		// The first request may reach a function that has just died.
		s.Do(t, Request{Method: "GET", Target: "/health"})
		s.Do(t, Request{Method: "GET", Target: "/health"}).Want(t, 200)
		t.Logf("killed %d of %s; every writer wrote again after %v", len(victims), name, time.Since(start).Round(time.Millisecond))
	}
	family, err := s.Processes()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	c.rest()
	if err := s.AwaitGone(family); err != nil {
		t.Errorf("after the main process was killed: %v", err)
	}
	start := time.Now()
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	t.Logf("ready again %v after the main process was killed, on the same data", time.Since(start).Round(time.Millisecond))
	for _, w := range c.writers {
		w.audit(t)
	}
	c.start()
	c.progress(t, "the main process", s)
	c.rest()
	for _, w := range c.writers {
		w.audit(t)
		t.Logf("%s: %d rounds acknowledged, %d rows attempted", w.name, w.acknowledged.Load(), len(w.rows))
	}
}
