// Command installations is the Lambda function that lists the repositories and
// pull requests of an installation.
package main

import (
	"os"
	"time"

	"github.com/opsplane/opsplane/shared/awsclient"
	"github.com/opsplane/opsplane/shared/httpapi"
	"github.com/opsplane/opsplane/shared/pullrequest"
	"github.com/opsplane/opsplane/shared/repository"
	"github.com/opsplane/opsplane/shared/telemetry"
)

func main() {
	db := awsclient.DynamoDB(awsclient.Config())
	vcs := os.Getenv("VCS_TABLE")
	i := &installations{
		repositories: repository.Store{DB: db, Table: vcs},
		pullRequests: pullrequest.Store{DB: db, Table: vcs},
	}
	httpapi.NewLambda(routes(i), telemetry.Logger(), time.Now).Serve()
}
