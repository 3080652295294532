// Command demo sends the deliveries of events/ to the local stack, through the
// endpoints that GitHub and GitLab would call, so that there are installations,
// repositories and pull requests to query.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Getenv("STATE"), "events/webhooks/payloads", os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		os.Exit(1)
	}
}
