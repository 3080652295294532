// Command commands is the Lambda function that starts runs, ends them and unlocks
// what they hold, for callers of the API. The dispatcher does the rest: the stream of
// RunsTable wakes it. Its invariants: the host decides what a person may do, and says
// so in the same request; and nobody starts two runs with one idempotency key.
package main

import (
	"os"
	"time"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/evaluation/evaluator"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/evaluation/object"
	"github.com/opsplane/opsplane/shared/evaluation/source"
	"github.com/opsplane/opsplane/shared/login/user"
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
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

func main() {
	cfg := awsclient.Config()
	db, objects, name, bucket := awsclient.DynamoDB(cfg), s3client.New(cfg), os.Getenv("RUNS_TABLE"), os.Getenv("RUNS_BUCKET")
	limits, err := runstore.LimitsFromEnv(os.Getenv)
	if err != nil {
		panic(err) // the template sets these
	}
	box := sealed.NewBox(secret.New(cfg, os.Getenv("SERVER_SECRET"), time.Now).Keys)
	store := runstore.Store{DB: db, Table: name, Limits: limits}
	of := starting.History{
		Runs: store, Index: runindex.New(table.Table{DB: db, Name: name}, store),
		PlanStore: planstore.Store{DB: db, Objects: objects, Table: name, Bucket: bucket}, Standing: standing.Store{Table: table.Table{DB: db, Name: name}},
	}
	log := telemetry.Logger()
	s := starting.Starter{
		History: of, Objects: objects, Bucket: bucket, Box: box, PublicBaseURL: os.Getenv("PUBLIC_BASE_URL"), PlanUploads: os.Getenv("PLAN_UPLOADS") == "on",
	}
	kept := object.Bucket{Client: objects, Name: bucket}
	lanes := lane.Store{DB: db, Table: os.Getenv("EVALUATION_TABLE"), Objects: kept}
	c := &commands{
		users: &user.Store{DB: db, Table: os.Getenv("OPERATIONS_TABLE")}, known: repository.Store{DB: db, Table: os.Getenv("VCS_TABLE")},
		starter: s, lanes: lanes, open: opener(hostclient.FromEnv(cfg, db, box, os.Getenv, time.Now)), limits: usual,
		evaluator: evaluator.Evaluator{
			Lanes: lanes, Runs: store, Standing: of.Standing, Plans: of.PlanStore, Outputs: output.New(db, objects, name, bucket),
			Source: source.Source{Objects: kept}, Start: s, Log: log,
		},
	}
	httpapi.NewLambda(routes(c), log, time.Now).Serve()
}
