// Command runs is the Lambda function that lists runs, their directories and what
// they printed. It changes nothing.
package main

import (
	"os"
	"time"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/run/changeset"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/storage/s3client"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/telemetry"
)

func main() {
	cfg := awsclient.Config()
	db, name := awsclient.DynamoDB(cfg), os.Getenv("RUNS_TABLE")
	objects, bucket := s3client.New(cfg), os.Getenv("RUNS_BUCKET")
	store := runstore.Store{DB: db, Table: name}
	r := &runs{
		store: store, index: runindex.New(table.Table{DB: db, Name: name}, store),
		outputs: output.New(db, objects, name, bucket),
		changes: changeset.Store{DB: db, Objects: objects, Table: name, Bucket: bucket},
	}
	httpapi.NewLambda(routes(r), telemetry.Logger(), time.Now).Serve()
}
