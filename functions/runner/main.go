// Command runner is the Lambda function that the runners of runs speak with. A runner
// is the program in a CI job of GitHub or GitLab that plans or applies. It asks for
// its work, stores and fetches plans, and reports its results. Its invariants: only
// the runner of a run reads and changes that run here, and every request may be sent
// twice.
package main

import (
	"context"
	"os"
	"strconv"
	"time"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/storage/s3client"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
)

func main() {
	cfg := awsclient.Config()
	db, objects, table, bucket := awsclient.DynamoDB(cfg), s3client.New(cfg), os.Getenv("RUNS_TABLE"), os.Getenv("RUNS_BUCKET")
	box := sealed.NewBox(secret.New(cfg, os.Getenv("SERVER_SECRET"), time.Now).Keys)
	app := hostclient.FromEnv(cfg, db, box, os.Getenv, time.Now).App
	r := &runner{
		runs: runstore.Store{DB: db, Table: table, Limits: runstore.Limits{
			Keep: span("RUN_RETENTION_DAYS", day), Start: span("RUN_START_MINUTES", time.Minute), Report: span("RUN_REPORT_HOURS", time.Hour),
		}},
		plans:     planstore.Store{DB: db, Objects: objects, Table: table, Bucket: bucket, Keep: span("PLAN_RETENTION_DAYS", day)},
		outputs:   output.New(db, objects, table, bucket),
		manifests: manifests{objects, bucket},
		box:       box,
		tokens:    tokens{open: func(ctx context.Context, id vcs.ID) (issuer, error) { return app.Open(ctx, id) }},
	}
	httpapi.NewLambda(routes(r), telemetry.Logger(), time.Now).Serve()
}

const day = 24 * time.Hour

// span reads a span of time from the environment, in a unit. The template makes sure
// that it is a positive number. With any other value the function must not start,
// because it would store runs that are never swept or kept for too short a time.
func span(name string, unit time.Duration) time.Duration {
	text := os.Getenv(name)
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > int(100*365*day/unit) {
		panic(name + "=" + strconv.Quote(text) + " is not a number of times " + unit.String())
	}
	return time.Duration(n) * unit
}
