//go:build unix

// Command bench compares Go benchmarks from the file of their samples. It also measures how
// fast the functions start, and compares them with functions that do nothing. Samples (which
// benchstat reads) and tables go to standard output, progress to standard error.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/opsplane/opsplane/infra/local/startup"
	"github.com/opsplane/opsplane/infra/measure/bench"
	"github.com/opsplane/opsplane/infra/test/template"
)

func main() {
	starts := flag.Int("n", 100, "how often each binary is started; 0 measures no start")
	samples := flag.String("samples", "", "file to which benchmarks have written, by BENCH_SAMPLES")
	flag.Parse()
	if err := run(*starts, *samples); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(starts int, samples string) error {
	if starts < 0 {
		return fmt.Errorf("%d starts cannot be made", starts)
	}
	if samples != "" {
		results, err := bench.Read(samples)
		if err != nil {
			return err
		}
		for _, r := range results {
			r.WriteSamples(os.Stdout)
		}
		fmt.Println()
		bench.WriteTable(os.Stdout, results)
		fmt.Println()
	}
	if starts == 0 {
		return nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root, err := template.Root(".")
	if err != nil {
		return err
	}
	return startup.Run(ctx, startup.Options{
		Root: root, Starts: starts, Out: os.Stdout,
		Report: func(line string) { fmt.Fprintln(os.Stderr, line) },
	})
}
