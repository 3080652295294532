// Command load drives a running local stack and reports the results. It exits with 1 if an
// operation failed. Ctrl-C ends the run, and the command prints the results so far.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/opsplane/opsplane/infra/measure/load"
)

func main() {
	state := flag.String("state", ".local", "folder of the running stack")
	duration := flag.Duration("duration", 10*time.Minute, "how long to drive it")
	connections := flag.Int("connections", 200, "connections at the same time")
	seed := flag.Uint64("seed", 1, "chooses the operations")
	flag.Parse()
	if err := run(*state, *duration, *connections, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(state string, duration time.Duration, connections int, seed uint64) error {
	url, key, err := running(state)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), duration)
	defer cancel()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the waiting for the last responses
	report, err := load.Run(ctx, load.Config{
		URL: url, APIKey: key, Connections: connections, Seed: seed, State: state,
		Progress: func(line string) { fmt.Println(line) },
	})
	if err != nil {
		return err
	}
	fmt.Println()
	report.Print(os.Stdout)
	if n := report.Errors(); n > 0 {
		return fmt.Errorf("%d operations went wrong", n)
	}
	return nil
}

// running returns the address and the first key of the stack that uses a folder.
func running(state string) (url, key string, err error) {
	text, err := os.ReadFile(filepath.Join(state, "stack.json"))
	if err != nil {
		return "", "", fmt.Errorf("no stack runs on %s: start one with make run", state)
	}
	var stack struct{ URL string }
	if err := json.Unmarshal(text, &stack); err != nil {
		return "", "", fmt.Errorf("stack.json: %w", err)
	}
	secret, err := os.ReadFile(filepath.Join(state, "api-key"))
	if err != nil {
		return "", "", err
	}
	return stack.URL, strings.TrimSpace(string(secret)), nil
}
