// Command eraser is the Lambda function that removes all data of an installation or
// of a person. The erasures are tasks that operators start. A schedule wakes the
// function.
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/background/task/work"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/storage/s3client"
	"github.com/opsplane/opsplane/shared/telemetry"
)

func main() {
	cfg := awsclient.Config()
	db, objects := awsclient.DynamoDB(cfg), s3client.New(cfg)
	limits, err := runstore.LimitsFromEnv(os.Getenv)
	if err != nil {
		panic(err) // the template sets these
	}
	data := open(db, objects, places{
		operations: os.Getenv("OPERATIONS_TABLE"), tokens: os.Getenv("TOKENS_TABLE"), sessions: os.Getenv("SESSIONS_TABLE"),
		vcs: os.Getenv("VCS_TABLE"), deliveries: os.Getenv("DELIVERIES_TABLE"), kv: os.Getenv("KV_TABLE"), bucket: os.Getenv("KV_BUCKET"),
		runs: os.Getenv("RUNS_TABLE"), runsBucket: os.Getenv("RUNS_BUCKET"), evaluation: os.Getenv("EVALUATION_TABLE"),
	}, limits)
	lambda.Start(worker(task.Store{DB: db, Table: os.Getenv("OPERATIONS_TABLE")}, data, part, telemetry.Logger(), time.Now).Handle)
}

// turn is how long a task is worked at in a run. The next run begins a minute
// later and continues with what is left.
const turn = time.Minute

// part is how many things are removed in a step. This takes some seconds.
const part = 100

// worker returns a worker over the stores. It removes at most limit things in a
// step.
func worker(tasks task.Store, data stores, limit int, log *slog.Logger, now func() time.Time) *work.Worker {
	return &work.Worker{
		Tasks: tasks, Queue: task.Erasures, Turn: turn, Explain: explain, Log: log, Now: now,
		Steps: map[task.Kind]work.Step{
			task.EraseInstallation: erasing{data.ofInstallation, limit}.step,
			task.EraseUser:         erasing{data.ofUser, limit}.step,
		},
	}
}

// explain says for operators why a try of an erasure failed. Its second result is
// always false: only the storage can fail, and a later try may succeed.
func explain(run *task.Run, problem error) (words string, forGood bool) {
	switch {
	case errors.Is(problem, work.ErrTired):
		return "the workers of the erasure were killed, again and again: see the log of EraserFunction, then give the command again" + again(run), false
	case errors.Is(problem, context.DeadlineExceeded):
		return "storage takes too long", false
	}
	return "this server had an error: see the log of EraserFunction; where the erasure has failed, give the command again" + again(run), false
}

// again returns the arguments of the command that starts an erasure again. The user
// is removed first, so the user's name may no longer exist.
func again(run *task.Run) string {
	if run.Kind == task.EraseUser {
		return " with the id, which \"task show\" prints"
	}
	return ""
}
