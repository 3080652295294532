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
	"github.com/opsplane/opsplane/shared/storage/awsclient"
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
			task.RemovePullRequests: removal{pullrequest.Store{DB: db, Table: facts}, removalPart}.step,
		},
	}
	lambda.Start(w.Handle)
}
