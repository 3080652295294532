// Command collector is the Lambda function that removes what no record of the
// key-value store names any more. A schedule invokes it. It does the same for every
// event.
package main

import (
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/kv/garbage"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/storage/s3client"
	"github.com/opsplane/opsplane/shared/telemetry"
)

func main() {
	cfg := awsclient.Config()
	db, objects, table, bucket := awsclient.DynamoDB(cfg), s3client.New(cfg), os.Getenv("KV_TABLE"), os.Getenv("KV_BUCKET")
	records := kv.New(db, objects, table, bucket)
	// There is no quota, because the collector announces no uploads.
	files := artifact.NewStore(db, objects, records, table, bucket, artifact.Limits{})
	rest := garbage.Rest{Write: garbage.WriteRest, Keep: keep(os.Getenv("GARBAGE_KEEP_HOURS"))}
	c := collector{run: garbage.New(records, files, objects, bucket, rest).Run, log: telemetry.Logger(), now: time.Now}
	lambda.Start(c.handle)
}

// keep reads how many hours garbage is kept. The template makes sure that it is a
// number from 1 on. With any other value the function must not start, because it
// could remove what somebody is still reading.
func keep(hours string) time.Duration {
	const most = 24 * 365 * 100
	n, err := strconv.Atoi(hours)
	if err != nil || n > most || time.Duration(n)*time.Hour < garbage.MinKeep {
		panic("GARBAGE_KEEP_HOURS=" + strconv.Quote(hours) + " is not a number of hours from 1 on")
	}
	return time.Duration(n) * time.Hour
}
