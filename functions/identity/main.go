// Command identity is the Lambda function that returns to callers who they are, and
// ends their sessions.
package main

import (
	"os"
	"time"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/telemetry"
)

func main() {
	db := awsclient.DynamoDB(awsclient.Config())
	users := &user.Store{DB: db, Table: os.Getenv("OPERATIONS_TABLE")}
	sessions := &session.Store{DB: db, Table: os.Getenv("SESSIONS_TABLE")}
	httpapi.NewLambda(routes(users, sessions), telemetry.Logger(), time.Now).Serve()
}
