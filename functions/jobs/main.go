// Command jobs is the Lambda function that works at tasks: it refreshes the
// repositories of installations, and removes what belongs to repositories that are
// gone. The stream of OperationsTable wakes it. A schedule wakes it too, for tasks
// that wait or whose worker died.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/background/task/work"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/evaluation/object"
	"github.com/opsplane/opsplane/shared/run/changeset"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/runremoval"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/storage/s3client"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

// turn is how long a task is worked at before the next task gets its turn.
const turn = 20 * time.Second

func main() {
	cfg := awsclient.Config()
	db, facts := awsclient.DynamoDB(cfg), os.Getenv("VCS_TABLE")
	objects, runs, bucket := s3client.New(cfg), os.Getenv("RUNS_TABLE"), os.Getenv("RUNS_BUCKET")
	limits, err := runstore.LimitsFromEnv(os.Getenv)
	if err != nil {
		panic(err) // the template sets these
	}
	repositories := repository.Store{DB: db, Table: facts}
	tasks := task.Store{DB: db, Table: os.Getenv("OPERATIONS_TABLE")}
	box := sealed.NewBox(secret.New(cfg, os.Getenv("SERVER_SECRET"), time.Now).Keys)
	log := telemetry.Logger()
	w := &work.Worker{
		Tasks: tasks, Queue: task.Hosts, Turn: turn, Explain: explain, Remark: leftOut, Log: log, Now: time.Now,
		Steps: map[task.Kind]work.Step{
			task.RefreshRepositories: (&refresh{
				repositories: repositories, tasks: tasks, log: log,
				open: opener(hostclient.FromEnv(cfg, db, box, os.Getenv, time.Now)), pageSizes: pageSizes,
			}).step,
			task.RemovePullRequests: removal{
				pullRequests: pullrequest.Store{DB: db, Table: facts}, repositories: repositories, part: removalPart, runPart: removalRuns,
				runs:     runstore.Store{DB: db, Table: runs, Limits: limits},
				changes:  changeset.Store{DB: db, Objects: objects, Table: runs, Bucket: bucket},
				lanes:    lane.Store{DB: db, Table: os.Getenv("EVALUATION_TABLE"), Objects: object.Bucket{Client: objects, Name: bucket}},
				standing: standing.Store{Table: table.Table{DB: db, Name: runs}},
				before:   runremoval.Before(output.New(db, objects, runs, bucket), planstore.Store{DB: db, Objects: objects, Table: runs, Bucket: bucket}),
			}.step,
		},
	}
	lambda.Start(w.Handle)
}
