// Command webhooks is the Lambda function that receives the deliveries of VCS
// hosts. It stores each delivery before it acknowledges it. It processes none: the
// table's stream wakes the worker.
package main

import (
	"os"
	"time"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/telemetry"
)

func main() {
	cfg := awsclient.Config()
	w := &webhooks{
		deliveries: delivery.Store{DB: awsclient.DynamoDB(cfg), Table: os.Getenv("DELIVERIES_TABLE")},
		github:     secret.New(cfg, os.Getenv("GITHUB_WEBHOOK_SECRET"), time.Now),
		tokens:     secret.New(cfg, os.Getenv("WEBHOOK_TOKEN_SECRET"), time.Now),
		log:        telemetry.Logger(),
	}
	httpapi.NewLambda(routes(w), telemetry.Logger(), time.Now).Serve()
}
