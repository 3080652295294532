// Command kv is the Lambda function of the key-value store.
package main

import (
	"os"
	"time"

	"github.com/opsplane/opsplane/shared/awsclient"
	"github.com/opsplane/opsplane/shared/httpapi"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/s3client"
	"github.com/opsplane/opsplane/shared/telemetry"
)

func main() {
	cfg := awsclient.Config()
	s := kv.New(awsclient.DynamoDB(cfg), s3client.New(cfg), os.Getenv("KV_TABLE"), os.Getenv("KV_BUCKET"))
	httpapi.NewLambda(routes(s), telemetry.Logger(), time.Now, keyInOneSegment).Serve()
}
