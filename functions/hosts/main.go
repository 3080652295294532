// Command hosts is the Lambda function that asks VCS hosts in the name of its
// caller. It asks for the installations that the caller can see, and for what
// GitLab groups need to become installations.
package main

import (
	"os"
	"time"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/loginhost"
	"github.com/opsplane/opsplane/shared/login/membership"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

func main() {
	cfg := awsclient.Config()
	db, operations, sessions := awsclient.DynamoDB(cfg), os.Getenv("OPERATIONS_TABLE"), os.Getenv("SESSIONS_TABLE")
	box := sealed.NewBox(secret.New(cfg, os.Getenv("SERVER_SECRET"), time.Now).Keys)
	h := &hosts{
		people: membership.Memberships{
			Users: &user.Store{DB: db, Table: operations}, Installations: installation.Store{DB: db, Table: operations},
			Renewals: membership.Renewals{DB: db, Table: operations},
		},
		loginHosts: loginhost.FromEnv(cfg, os.Getenv, time.Now), grants: &grant.Store{DB: db, Table: sessions, Box: box, Log: telemetry.Logger()},
		vcs:            hostclient.FromEnv(cfg, db, box, os.Getenv, time.Now),
		allowed:        readAllowed(os.Getenv("GITLAB_GROUPS")),
		webhookSecrets: secret.New(cfg, os.Getenv("WEBHOOK_TOKEN_SECRET"), time.Now).Values, log: telemetry.Logger(),
	}
	httpapi.NewLambda(routes(h), telemetry.Logger(), time.Now).Serve()
}
