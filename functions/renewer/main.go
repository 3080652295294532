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
	"github.com/opsplane/opsplane/shared/login/person"
	"github.com/opsplane/opsplane/shared/login/renewal"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

func main() {
	cfg := awsclient.Config()
	db, operations := awsclient.DynamoDB(cfg), os.Getenv("OPERATIONS_TABLE")
	r := &renewer{
		people: person.Memberships{
			Users: &user.Store{DB: db, Table: operations}, Installations: installation.Store{DB: db, Table: operations},
			Appointments: renewal.Store{DB: db, Table: operations},
		},
		providers: person.Providers(cfg, os.Getenv, time.Now),
		grants: &grant.Store{
			DB: db, Table: os.Getenv("SESSIONS_TABLE"), Box: sealed.NewBox(secret.New(cfg, os.Getenv("SERVER_SECRET"), time.Now).Keys), Log: telemetry.Logger(),
		},
		keys: &apikey.Store{DB: db, Table: os.Getenv("TOKENS_TABLE")},
		log:  telemetry.Logger(), now: time.Now,
	}
	lambda.Start(r.handle)
}
