// Command kv is the Lambda function of the key-value store.
package main

import (
	"math"
	"os"
	"strconv"
	"time"

	"github.com/opsplane/opsplane/shared/artifact"
	"github.com/opsplane/opsplane/shared/awsclient"
	"github.com/opsplane/opsplane/shared/httpapi"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/s3client"
	"github.com/opsplane/opsplane/shared/telemetry"
)

func main() {
	cfg := awsclient.Config()
	db, objects, table, bucket := awsclient.DynamoDB(cfg), s3client.New(cfg), os.Getenv("KV_TABLE"), os.Getenv("KV_BUCKET")
	records := kv.New(db, objects, table, bucket)
	files := artifact.NewStore(db, objects, records, table, bucket, quota(os.Getenv("ARTIFACT_QUOTA_GIB")))
	httpapi.NewLambda(routes(records, files), telemetry.Logger(), time.Now, keyInOneSegment).Serve()
}

// quota reads how many GiB of artifacts an installation may hold, and answers
// it in bytes. The template, which cannot multiply, sees to it that it is a
// number; a function that is started with anything else must not run without a
// limit that somebody believes in.
func quota(gib string) int64 {
	n, err := strconv.ParseInt(gib, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>30 {
		panic("ARTIFACT_QUOTA_GIB=" + strconv.Quote(gib) + " is not a number of GiB")
	}
	return n << 30
}
