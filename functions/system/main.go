// Command system is the Lambda function that serves information about the server
// itself: its configuration, health, API document and tasks.
package main

import (
	"os"
	"time"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/telemetry"
)

func main() {
	db := awsclient.DynamoDB(awsclient.Config())
	table := os.Getenv("OPERATIONS_TABLE")
	s := system{
		config: configFrom(os.Getenv),
		tasks:  task.Store{DB: db, Table: table},
		ping:   pinger(db, table),
	}
	httpapi.NewLambda(routes(s), telemetry.Logger(), time.Now).Serve()
}
