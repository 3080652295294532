// Command worker is the Lambda function that processes the deliveries of VCS hosts.
// The stream of DeliveriesTable wakes it. A schedule wakes it too, for deliveries
// that have failed.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs/installation"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

func main() {
	db := awsclient.DynamoDB(awsclient.Config())
	operations, vcs := os.Getenv("OPERATIONS_TABLE"), os.Getenv("VCS_TABLE")
	limits, err := runstore.LimitsFromEnv(os.Getenv)
	if err != nil {
		panic(err) // the template sets these
	}
	w := &worker{
		deliveries: delivery.Store{DB: db, Table: os.Getenv("DELIVERIES_TABLE")},
		facts: facts{
			installations: installation.Store{DB: db, Table: operations},
			repositories:  repository.Store{DB: db, Table: vcs},
			pullRequests:  pullrequest.Store{DB: db, Table: vcs},
			tasks:         task.Store{DB: db, Table: operations},
			runs:          runstore.Store{DB: db, Table: os.Getenv("RUNS_TABLE"), Limits: limits},
			lanes:         lane.Store{DB: db, Table: os.Getenv("EVALUATION_TABLE")},
			now:           time.Now,
		},
		log: telemetry.Logger(), now: time.Now, share: share,
	}
	lambda.Start(w.handle)
}
