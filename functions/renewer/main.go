// Command renewer is the Lambda function that asks VCS hosts every hour which
// installations people may act on. So a person who leaves a group or organisation
// loses the membership here too, without doing anything here. A schedule wakes the
// function. It has no caller.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/loginhost"
	"github.com/opsplane/opsplane/shared/login/membership"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

func main() {
	cfg := awsclient.Config()
	db, operations := awsclient.DynamoDB(cfg), os.Getenv("OPERATIONS_TABLE")
	r := &renewer{
		people: membership.Memberships{
			Users: &user.Store{DB: db, Table: operations}, Installations: installation.Store{DB: db, Table: operations},
			Renewals: membership.Renewals{DB: db, Table: operations},
		},
		loginHosts: loginhost.FromEnv(cfg, os.Getenv, time.Now),
		grants: &grant.Store{
			DB: db, Table: os.Getenv("SESSIONS_TABLE"), Box: sealed.NewBox(secret.New(cfg, os.Getenv("SERVER_SECRET"), time.Now).Keys), Log: telemetry.Logger(),
		},
		keys: &apikey.Store{DB: db, Table: os.Getenv("TOKENS_TABLE")},
		log:  telemetry.Logger(), now: time.Now,
	}
	lambda.Start(r.handle)
}
