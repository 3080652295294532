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

func main() {
	days, err := strconv.Atoi(os.Getenv("AUDIT_RETENTION_DAYS"))
	if err != nil {
		panic("AUDIT_RETENTION_DAYS is no number of days")
	}
	a := &auditor{
		trail: audit.Store{
			DB: awsclient.DynamoDB(awsclient.Config()), Table: os.Getenv("AUDIT_TABLE"), Keep: time.Duration(days) * 24 * time.Hour,
		},
		tables: map[string]audit.Table{
			os.Getenv("TOKENS_TABLE"): audit.Tokens, os.Getenv("OPERATIONS_TABLE"): audit.Operations,
			os.Getenv("SESSIONS_TABLE"): audit.Sessions, os.Getenv("KV_TABLE"): audit.KV, os.Getenv("VCS_TABLE"): audit.VCS,
		},
		log: telemetry.Logger(), now: time.Now,
	}
	lambda.Start(a.handle)
}
