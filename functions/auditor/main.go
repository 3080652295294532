// Command auditor is the Lambda function that writes the audit trail. The streams
// of the tables invoke it. Its role may only add records.
package main

import (
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/telemetry"
)

// variables are the environment variables with the physical names of the tables.
var variables = map[audit.Table]string{
	audit.Tokens: "TOKENS_TABLE", audit.Operations: "OPERATIONS_TABLE", audit.Sessions: "SESSIONS_TABLE",
	audit.KV: "KV_TABLE", audit.VCS: "VCS_TABLE", audit.Runs: "RUNS_TABLE",
}

func main() {
	days, err := strconv.Atoi(os.Getenv("AUDIT_RETENTION_DAYS"))
	if err != nil {
		panic("AUDIT_RETENTION_DAYS is no number of days")
	}
	a := &auditor{
		trail: audit.Store{
			DB: awsclient.DynamoDB(awsclient.Config()), Table: os.Getenv("AUDIT_TABLE"), Keep: time.Duration(days) * 24 * time.Hour,
		},
		sources: byName(func(t audit.Table) string { return os.Getenv(variables[t]) }),
		log:     telemetry.Logger(), now: time.Now,
	}
	lambda.Start(a.handle)
}
