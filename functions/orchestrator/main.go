// Command orchestrator is the Lambda function that decides what follows from events of
// pull requests, from commands in comments and from the end of runs, and does it. The
// stream of EvaluationTable wakes it when something is to be evaluated. A schedule wakes it
// too, for all that is due at a time.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/evaluation/evaluator"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/evaluation/object"
	"github.com/opsplane/opsplane/shared/evaluation/source"
	"github.com/opsplane/opsplane/shared/run/changeset"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/run/starting"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/storage/s3client"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
)

func main() {
	cfg := awsclient.Config()
	db, objects, name, bucket := awsclient.DynamoDB(cfg), s3client.New(cfg), os.Getenv("RUNS_TABLE"), os.Getenv("RUNS_BUCKET")
	limits, err := runstore.LimitsFromEnv(os.Getenv)
	if err != nil {
		panic(err) // the template sets these
	}
	log, base := telemetry.Logger(), os.Getenv("PUBLIC_BASE_URL")
	box := sealed.NewBox(secret.New(cfg, os.Getenv("SERVER_SECRET"), time.Now).Keys)
	kept := object.Bucket{Client: objects, Name: bucket}
	runs, stand := runstore.Store{DB: db, Table: name, Limits: limits}, standing.Store{Table: table.Table{DB: db, Name: name}}
	plans := planstore.Store{DB: db, Objects: objects, Table: name, Bucket: bucket}
	lanes := lane.Store{DB: db, Table: os.Getenv("EVALUATION_TABLE"), Objects: kept}
	all := evaluator.Evaluator{
		Lanes: lanes, Runs: runs, Standing: stand, Plans: plans, Outputs: output.New(db, objects, name, bucket),
		Sets:   changeset.Store{DB: db, Objects: objects, Table: name, Bucket: bucket, Keep: limits.Keep},
		Source: source.Source{Objects: kept},
		Start: starting.Starter{
			History: starting.History{Runs: runs, Index: runindex.New(table.Table{DB: db, Name: name}, runs), PlanStore: plans, Standing: stand},
			Objects: objects, Bucket: bucket, Box: box, PublicBaseURL: base, PlanUploads: os.Getenv("PLAN_UPLOADS") == "on",
		},
		Open:          evaluator.Opener(hostclient.FromEnv(cfg, db, box, os.Getenv, time.Now)),
		PublicBaseURL: base, Log: log, Now: time.Now,
	}
	o := &orchestrator{
		lanes: lanes, log: log, now: time.Now,
		begin: func(request string) evaluations {
			own := all
			own.Request = request
			return &own
		},
	}
	lambda.Start(o.handle)
}
