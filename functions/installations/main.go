// Command installations is the Lambda function that lists the repositories and
// pull requests of an installation.
package main

import (
	"os"
	"time"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

func main() {
	db := awsclient.DynamoDB(awsclient.Config())
	vcs := os.Getenv("VCS_TABLE")
	i := &installations{
		repositories: repository.Store{DB: db, Table: vcs},
		pullRequests: pullrequest.Store{DB: db, Table: vcs},
		runs:         runstore.Store{DB: db, Table: os.Getenv("RUNS_TABLE")},
	}
	httpapi.NewLambda(routes(i), telemetry.Logger(), time.Now).Serve()
}
