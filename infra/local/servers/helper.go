//go:build unix

package servers

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// The first arguments with which a program that embeds this package starts itself.
const (
	helperS3     = "serve-s3"     // DIR ADDRESS
	helperRelay  = "serve-relay"  // ADDRESS JAVA ARGUMENTS...
	helperInside = "serve-inside" // JAVA ARGUMENTS...
)

func self() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

// Helper runs a server if this process was started for that, and then never returns. Every main
// function of the local stack calls it first. A server is the same program with another first
// argument, so only one binary has to be built.
func Helper() {
	if len(os.Args) < 4 {
		return
	}
	var run func(context.Context) error
	switch args := os.Args[2:]; os.Args[1] {
	case helperS3:
		run = func(ctx context.Context) error { return serveS3(ctx, args[0], args[1]) }
	case helperRelay:
		run = func(ctx context.Context) error { return relay(ctx, args[0], args[1:]) }
	case helperInside:
		run = func(ctx context.Context) error { return inside(ctx, args) }
	default:
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	// Ctrl-C reaches every process of the terminal. The stack itself decides when its servers
	// end.
	signal.Ignore(syscall.SIGINT)
	err := run(ctx)
	stop()
	if err != nil && ctx.Err() == nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
	os.Exit(0)
}
