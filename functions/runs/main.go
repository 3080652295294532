// Command runs is the Lambda function that lists runs, their directories, what they
// printed, and what stands where. It changes no run: it only stores a long text of a run
// as an object, so that a caller can fetch it.
package main

import (
	"os"
	"time"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/run/changeset"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/storage/s3client"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/telemetry"
)

func main() {
	cfg := awsclient.Config()
	db, name := awsclient.DynamoDB(cfg), os.Getenv("RUNS_TABLE")
	objects, bucket := s3client.New(cfg), os.Getenv("RUNS_BUCKET")
	store, items := runstore.Store{DB: db, Table: name}, table.Table{DB: db, Name: name}
	r := &runs{
		store: store, index: runindex.New(items, store), stands: standing.Lists{Store: standing.Store{Table: items}, Runs: store},
		outputs: output.New(db, objects, name, bucket),
		changes: changeset.Store{DB: db, Objects: objects, Table: name, Bucket: bucket},
	}
	httpapi.NewLambda(routes(r), telemetry.Logger(), time.Now).Serve()
}
