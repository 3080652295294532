// Command installations is the Lambda function that lists the installations of
// a caller, and the repositories and pull requests of an installation.
package main

import (
	"os"
	"time"

	"github.com/opsplane/opsplane/shared/awsclient"
	"github.com/opsplane/opsplane/shared/httpapi"
	"github.com/opsplane/opsplane/shared/installation"
	"github.com/opsplane/opsplane/shared/pullrequest"
	"github.com/opsplane/opsplane/shared/repository"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/user"
)

func main() {
	db := awsclient.DynamoDB(awsclient.Config())
	operations, vcs := os.Getenv("OPERATIONS_TABLE"), os.Getenv("VCS_TABLE")
	i := &installations{
		users:        &user.Store{DB: db, Table: operations},
		known:        installation.Store{DB: db, Table: operations},
		repositories: repository.Store{DB: db, Table: vcs},
		pullRequests: pullrequest.Store{DB: db, Table: vcs},
	}
	httpapi.NewLambda(routes(i), telemetry.Logger(), time.Now).Serve()
}
