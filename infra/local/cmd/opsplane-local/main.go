//go:build unix

// Command opsplane-local runs the whole product on this machine: the functions' own binaries,
// the gateway before them, and the servers that store their data. It needs Go, npm and git, but
// no container engine and no AWS account.
//
// PORT (default 3000) sets the port, and STATE (default .local) sets the folder of the data.
// EVENTS_URL is an address on this machine that gets each event.
// DYNAMODB_URL and S3_URL name servers of the user's own. DYNAMODB chooses one of our servers
// (dynoxide, dynamodb-local). INSTANCES (default 50) limits the processes of each function.
// With THROTTLE=on the gateway enforces the template's rates. PARAMETERS="Name=value …"
// replaces the template's defaults.
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
	// The first signal stops the stack. A second signal stops the waiting for that.
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
