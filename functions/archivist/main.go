// Command archivist is the Lambda function that copies the audit trail to a bucket,
// which keeps it longer than the table does. The table's stream invokes it.
package main

import (
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/storage/s3client"
	"github.com/opsplane/opsplane/shared/telemetry"
)

func main() {
	a := &archivist{objects: s3client.New(awsclient.Config()), bucket: os.Getenv("AUDIT_BUCKET"), log: telemetry.Logger()}
	lambda.Start(a.handle)
}
