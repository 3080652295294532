// Command eraser is the Lambda function that removes all data of an installation
// or of a person, as tasks that operators start. The stream of OperationsTable
// wakes it, and a schedule for what waits or whose worker died.
package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/opsplane/opsplane/shared/apikey"
	"github.com/opsplane/opsplane/shared/artifact"
	"github.com/opsplane/opsplane/shared/awsclient"
	"github.com/opsplane/opsplane/shared/delivery"
	"github.com/opsplane/opsplane/shared/installation"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/pullrequest"
	"github.com/opsplane/opsplane/shared/renewal"
	"github.com/opsplane/opsplane/shared/repository"
	"github.com/opsplane/opsplane/shared/s3client"
	"github.com/opsplane/opsplane/shared/task"
	"github.com/opsplane/opsplane/shared/task/work"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/user"
)

func main() {
	cfg := awsclient.Config()
	db, objects := awsclient.DynamoDB(cfg), s3client.New(cfg)
	operations, vcs, table, bucket := os.Getenv("OPERATIONS_TABLE"), os.Getenv("VCS_TABLE"), os.Getenv("KV_TABLE"), os.Getenv("KV_BUCKET")
	records := kv.New(db, objects, table, bucket)
	data := stores{
		db: db, sessions: os.Getenv("SESSIONS_TABLE"),
		records: records, files: artifact.NewStore(db, objects, records, table, bucket, 0),
		repositories: repository.Store{DB: db, Table: vcs}, pullRequests: pullrequest.Store{DB: db, Table: vcs},
		deliveries:    delivery.Store{DB: db, Table: os.Getenv("DELIVERIES_TABLE")},
		installations: installation.Store{DB: db, Table: operations},
		users:         &user.Store{DB: db, Table: operations}, keys: &apikey.Store{DB: db, Table: os.Getenv("TOKENS_TABLE")},
		renewals: renewal.Store{DB: db, Table: operations},
	}
	lambda.Start(worker(task.Store{DB: db, Table: operations}, data, part, time.Now).Handle)
}

// part is how many things are removed in a step: some seconds' work.
const part = 100

// worker makes a worker over stores, which removes so many things in a step.
func worker(tasks task.Store, data stores, limit int, now func() time.Time) *work.Worker {
	return &work.Worker{
		Tasks: tasks, Queue: task.Erasures, Explain: explain, Log: telemetry.Logger(), Now: now,
		Steps: map[task.Kind]work.Step{
			task.EraseInstallation: erasing{data.ofInstallation, limit}.step,
			task.EraseUser:         erasing{data.ofUser, limit}.step,
		},
	}
}

// explain says to operators why an erasure stumbled. None fails for good: what is
// tried again and again is the storage.
func explain(_ *task.Run, problem error) (words string, forGood bool) {
	switch {
	case errors.Is(problem, work.ErrTired):
		return "the workers of the erasure were killed, again and again: see the log of EraserFunction, then give the command again", false
	case errors.Is(problem, context.DeadlineExceeded):
		return "storage takes too long", false
	}
	return "this server had an error: see the log of EraserFunction; where the erasure has failed, give the command again", false
}
