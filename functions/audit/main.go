// Command audit is the Lambda function that serves the audit trail.
package main

import (
	"os"
	"time"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/telemetry"
)

func main() {
	db := awsclient.DynamoDB(awsclient.Config())
	t := trail{
		records: audit.Store{DB: db, Table: os.Getenv("AUDIT_TABLE")},
		users:   &user.Store{DB: db, Table: os.Getenv("OPERATIONS_TABLE")},
	}
	httpapi.NewLambda(routes(t), telemetry.Logger(), time.Now).Serve()
}
