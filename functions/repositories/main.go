// Command repositories is the Lambda function that refreshes the repositories of an
// installation and deletes one of them. It asks the hosts. It starts tasks for the
// work that takes long.
package main

import (
	"os"
	"time"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
	"github.com/opsplane/opsplane/shared/vcs/installation"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

func main() {
	cfg := awsclient.Config()
	db, operations := awsclient.DynamoDB(cfg), os.Getenv("OPERATIONS_TABLE")
	r := &repositories{
		users: &user.Store{DB: db, Table: operations}, tasks: task.Store{DB: db, Table: operations},
		names: installation.Store{DB: db, Table: operations},
		known: repository.Store{DB: db, Table: os.Getenv("VCS_TABLE")},
		open:  opener(hostclient.FromEnv(cfg, db, sealed.NewBox(secret.New(cfg, os.Getenv("SERVER_SECRET"), time.Now).Keys), os.Getenv, time.Now)),
	}
	httpapi.NewLambda(routes(r), telemetry.Logger(), time.Now).Serve()
}
