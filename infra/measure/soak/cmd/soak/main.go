// Command soak tests the key-value store under load and failures for a given time, and checks
// every history. "make soak" runs it. It prints the results, and exits with status 1 if the
// contract was broken.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/measure/soak"
	"github.com/opsplane/opsplane/infra/test/template"
)

// options are the options of the command line.
type options struct {
	duration   time.Duration
	seed       uint64
	operations int
	lanes      int
	share      float64
}

func main() {
	var o options
	flag.DurationVar(&o.duration, "duration", 2*time.Minute, "how long, building and starting aside")
	flag.Uint64Var(&o.seed, "seed", 0, "what everything drawn follows from; 0 chooses one")
	flag.IntVar(&o.operations, "operations", 0, "end after so many operations; 0 means when the time is up")
	flag.IntVar(&o.lanes, "lanes", 16, "rounds at once")
	flag.Float64Var(&o.share, "http", 0.25, "share of the time for the soak over HTTP, and a fifth of it of the operations")
	flag.Parse()
	if o.seed == 0 {
		o.seed = uint64(time.Now().Unix())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := soakAll(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// checkLimit is the maximum time for the check of one history.
const checkLimit = 10 * time.Second

// soakAll runs a soak of the store directly, and then one over HTTP.
func soakAll(ctx context.Context, o options) error {
	root, err := template.Root(".")
	if err != nil {
		return err
	}
	began := time.Now()
	fmt.Printf("seed %d, %v\n", o.seed, o.duration)
	campaign := func(part float64) *soak.Campaign {
		return &soak.Campaign{
			Seed: o.seed, Lanes: o.lanes, Operations: int(part * float64(o.operations)), Artifacts: true,
			Limit: checkLimit, Folder: filepath.Join(root, ".tools", "soak"),
		}
	}
	const httpIsSlower = 5
	remote := o.share / httpIsSlower
	direct, stack := campaign(1-remote), campaign(remote)
	p := &process{}
	defer p.cleanup()
	run := soak.Direct(p, direct)
	watch(ctx, direct, share(o.duration, 1-o.share), func(ctx context.Context) error {
		run(ctx)
		return nil
	})
	if err := direct.Err(); err != nil || ctx.Err() != nil {
		return err
	}
	state, err := os.MkdirTemp("", "soak-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(state) }()
	over, err := soak.Stack(state, stack)
	if err != nil {
		return err
	}
	err = watch(ctx, stack, share(o.duration, o.share), over)
	fmt.Printf("seed %d: %d operations checked, %d violations, in %v\n", o.seed,
		direct.Checked()+stack.Checked(), direct.Violations()+stack.Violations(), time.Since(began).Round(time.Second))
	return errors.Join(err, stack.Err())
}

func share(d time.Duration, part float64) time.Duration { return time.Duration(part * float64(d)) }

// watch runs a soak for a given time and prints its progress.
func watch(ctx context.Context, c *soak.Campaign, long time.Duration, run func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	began := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			fmt.Println(c.Progress())
		case err := <-ended:
			fmt.Printf("%s  in %v\n", c.Summary(), time.Since(began).Round(time.Second))
			return err
		}
	}
}

// process takes the place of a test for the packages that need one to make storage.
type process struct {
	testing.TB
	after []func()
}

func (p *process) Helper()                      {}
func (p *process) Cleanup(f func())             { p.after = append(p.after, f) }
func (p *process) Fatal(args ...any)            { p.end(fmt.Sprint(args...)) }
func (p *process) Fatalf(text string, a ...any) { p.end(fmt.Sprintf(text, a...)) }

func (p *process) end(why string) {
	fmt.Fprintln(os.Stderr, "soak:", why)
	p.cleanup()
	os.Exit(1)
}

func (p *process) cleanup() {
	for _, f := range p.after {
		f()
	}
}
