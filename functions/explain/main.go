// Command explain is the Lambda function that explains pull requests: why a directory is
// planned or is not, what keeps it from being applied, who holds locks, and for whom pull
// requests wait. It changes nothing.
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
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/storage/s3client"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

func main() {
	cfg, log := awsclient.Config(), telemetry.Logger()
	db, objects, name, bucket := awsclient.DynamoDB(cfg), s3client.New(cfg), os.Getenv("RUNS_TABLE"), os.Getenv("RUNS_BUCKET")
	box := sealed.NewBox(secret.New(cfg, os.Getenv("SERVER_SECRET"), time.Now).Keys)
	e := &explanations{
		users: &user.Store{DB: db, Table: os.Getenv("OPERATIONS_TABLE")}, known: repository.Store{DB: db, Table: os.Getenv("VCS_TABLE")},
		evaluator: &evaluator.Evaluator{
			Lanes: lane.Store{DB: db, Table: os.Getenv("EVALUATION_TABLE")},
			Runs:  runstore.Store{DB: db, Table: name}, Standing: standing.Store{Table: table.Table{DB: db, Name: name}},
			Plans: planstore.Store{DB: db, Objects: objects, Table: name, Bucket: bucket}, Outputs: output.New(db, objects, name, bucket),
			Source: source.Source{Objects: object.Bucket{Client: objects, Name: bucket}, ReadOnly: true},
			Open:   marked(evaluator.Opener(hostclient.FromEnv(cfg, db, box, os.Getenv, time.Now))), Log: log, Now: time.Now,
		},
	}
	httpapi.NewLambda(routes(e), log, time.Now).Serve()
}
