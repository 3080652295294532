// Command dispatcher is the Lambda function that asks hosts to start the CI jobs of
// runs, ends the runs whose jobs do not do their work, and does what follows the end of
// runs. The stream of RunsTable wakes it when a run is queued and when a run has ended.
// A schedule wakes it too, for all that is due at a time.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/run/dispatch"
	"github.com/opsplane/opsplane/shared/run/fold"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runremoval"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/run/worktoken"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/storage/s3client"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
)

func main() {
	cfg := awsclient.Config()
	db, name := awsclient.DynamoDB(cfg), os.Getenv("RUNS_TABLE")
	server := secret.New(cfg, os.Getenv("SERVER_SECRET"), time.Now)
	limits, err := runstore.LimitsFromEnv(os.Getenv)
	if err != nil {
		panic(err) // the template sets these
	}
	objects, bucket := s3client.New(cfg), os.Getenv("RUNS_BUCKET")
	plans := planstore.Store{DB: db, Objects: objects, Table: name, Bucket: bucket}
	runs := runstore.Store{DB: db, Table: name, Limits: limits}
	d := &dispatcher{
		dispatch: dispatch.Dispatcher{
			Runs:  runs,
			Plans: plans,
			Fold: fold.Folder{
				Runs: runs, Standing: standing.Store{Table: table.Table{DB: db, Name: name}}, Results: output.New(db, objects, name, bucket),
			},
			Lanes:         lane.Store{DB: db, Table: os.Getenv("EVALUATION_TABLE")},
			Open:          dispatch.Opener(hostclient.FromEnv(cfg, db, sealed.NewBox(server.Keys), os.Getenv, time.Now)),
			WorkToken:     worktoken.New(server.Keys).Of,
			PublicBaseURL: os.Getenv("PUBLIC_BASE_URL"),
			Unfinished:    runremoval.Unfinished(plans.Objects, plans.Bucket),
			Log:           telemetry.Logger(), Now: time.Now,
		},
		log: telemetry.Logger(), now: time.Now,
	}
	lambda.Start(d.handle)
}
