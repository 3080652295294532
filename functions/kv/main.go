// Command kv is the Lambda function of the key-value store.
package main

import (
	"math"
	"os"
	"strconv"
	"time"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/storage/s3client"
	"github.com/opsplane/opsplane/shared/telemetry"
)

func main() {
	cfg := awsclient.Config()
	db, objects, table, bucket := awsclient.DynamoDB(cfg), s3client.New(cfg), os.Getenv("KV_TABLE"), os.Getenv("KV_BUCKET")
	records := kv.New(db, objects, table, bucket)
	files := artifact.NewStore(db, objects, records, table, bucket, artifact.Limits{
		Stored:    limit("ARTIFACT_QUOTA_GIB", math.MaxInt64>>30) << 30,
		Uploading: limit("ARTIFACT_UPLOAD_GIB", math.MaxInt64>>30) << 30,
		Uploads:   int(limit("ARTIFACT_UPLOADS", math.MaxInt32)),
	})
	httpapi.NewLambda(routes(records, files), telemetry.Logger(), time.Now, keyInOneSegment).Serve()
}

// limit reads a limit from the environment, from 0 to most. The template makes sure
// that it is a number. With any other value the function must not start, because it
// would run without a limit on which the operator relies.
func limit(name string, most int64) int64 {
	text := os.Getenv(name)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > most {
		panic(name + "=" + strconv.Quote(text) + " is not a number from 0 to " + strconv.FormatInt(most, 10))
	}
	return n
}
