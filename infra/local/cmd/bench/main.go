//go:build unix

// Command bench measures how fast the functions start, against functions that
// do nothing. Samples that benchstat reads and a table go to standard output,
// progress to standard error.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/opsplane/opsplane/infra/local/bench"
	"github.com/opsplane/opsplane/infra/template"
)

func main() {
	starts := flag.Int("n", 100, "how often each binary is started")
	flag.Parse()
	if err := run(*starts); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(starts int) error {
	if starts < 1 {
		return fmt.Errorf("%d starts measure nothing", starts)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root, err := template.Root(".")
	if err != nil {
		return err
	}
	return bench.Run(ctx, bench.Options{
		Root: root, Starts: starts, Out: os.Stdout,
		Report: func(line string) { fmt.Fprintln(os.Stderr, line) },
	})
}
