//go:build unix

// Command opsplane-local runs the whole product on this machine: its
// functions' own binaries, the gateway before them, and the servers that they
// store in. It needs Go and npm, no container engine and no AWS account.
//
// PORT (3000) and STATE (.local) set the port and the folder of the data;
// DYNAMODB_URL and S3_URL bring servers of the user's own; DYNAMODB chooses
// among ours (dynoxide, dynamodb-local). INSTANCES (50) bounds the processes of
// each function, THROTTLE=on makes the gateway keep to the template's rates,
// and PARAMETERS="Name=value …" replaces the template's defaults.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/opsplane/opsplane/infra/local/console"
	"github.com/opsplane/opsplane/infra/local/servers"
	"github.com/opsplane/opsplane/infra/local/stack"
)

func main() {
	servers.Helper()
	// The first signal stops the stack, a second one the waiting for it.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	config, err := stack.FromEnvironment(os.Getenv, console.New(os.Stdout))
	if err == nil {
		err = stack.Run(ctx, config)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "opsplane-local:", err)
		os.Exit(1)
	}
}
