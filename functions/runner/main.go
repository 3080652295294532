// Command runner is the Lambda function that the runners of runs speak with. A runner
// is the program in a CI job of GitHub or GitLab that plans or applies. It asks for
// its work, stores and fetches plans, and reports its results. Its invariants: only
// the runner of a run reads and changes that run here, and every request may be sent
// twice.
package main

import (
	"context"
	"os"
	"time"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/worktoken"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/storage/s3client"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
)

func main() {
	cfg := awsclient.Config()
	db, objects, table, bucket := awsclient.DynamoDB(cfg), s3client.New(cfg), os.Getenv("RUNS_TABLE"), os.Getenv("RUNS_BUCKET")
	limits, err := runstore.LimitsFromEnv(os.Getenv)
	if err != nil {
		panic(err) // the template sets these
	}
	keepPlans, err := runstore.SpanFromEnv(os.Getenv, "PLAN_RETENTION_DAYS", 24*time.Hour)
	if err != nil {
		panic(err)
	}
	server := secret.New(cfg, os.Getenv("SERVER_SECRET"), time.Now)
	box := sealed.NewBox(server.Keys)
	app := hostclient.FromEnv(cfg, db, box, os.Getenv, time.Now).App
	r := &runner{
		runs:      runstore.Store{DB: db, Table: table, Limits: limits},
		plans:     planstore.Store{DB: db, Objects: objects, Table: table, Bucket: bucket, Keep: keepPlans},
		outputs:   output.New(db, objects, table, bucket),
		manifests: manifests{objects, bucket},
		box:       box,
		work:      worktoken.New(server.Keys),
		tokens:    tokens{open: func(ctx context.Context, id vcs.ID) (issuer, error) { return app.Open(ctx, id) }},
	}
	httpapi.NewLambda(routes(r), telemetry.Logger(), time.Now).Serve()
}
