// Command demo sends the deliveries of events/ to the local stack, through the
// endpoints that GitHub and GitLab would call. After that there are installations,
// repositories and pull requests to query.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/opsplane/opsplane/infra/admin/advice"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Getenv("STATE"), "events/webhooks/payloads", os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "demo: %s\n", advice.Explain(err))
		os.Exit(1)
	}
}
