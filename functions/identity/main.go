// Command identity is the Lambda function that tells callers who they are.
package main

import (
	"os"
	"time"

	"github.com/opsplane/opsplane/shared/awsclient"
	"github.com/opsplane/opsplane/shared/httpapi"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/user"
)

func main() {
	users := &user.Store{DB: awsclient.DynamoDB(awsclient.Config()), Table: os.Getenv("OPERATIONS_TABLE")}
	httpapi.NewLambda(routes(users), telemetry.Logger(), time.Now).Serve()
}
