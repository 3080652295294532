// Command publisher is the Lambda function that sends events to an event bus. The stream
// of AuditTable invokes it with new records. A schedule sends again what the bus did not
// take.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/opsplane/opsplane/shared/event/bus"
	"github.com/opsplane/opsplane/shared/event/parked"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/telemetry"
)

func main() {
	cfg := awsclient.Config()
	db := awsclient.DynamoDB(cfg)
	p := &publisher{
		bus:    bus.Bus{Client: bus.Client(cfg), Name: os.Getenv("EVENT_BUS_NAME")},
		runs:   runstore.Store{DB: db, Table: os.Getenv("RUNS_TABLE")},
		parked: parked.Store{DB: db, Table: os.Getenv("OPERATIONS_TABLE")},
		log:    telemetry.Logger(), now: time.Now,
	}
	lambda.Start(p.handle)
}
