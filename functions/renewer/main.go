// Command renewer is the Lambda function that asks VCS hosts again, hour by
// hour, which installations people may act on: who left a group or organisation
// loses it here without being asked. A schedule wakes it. Nobody calls it.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/opsplane/opsplane/shared/apikey"
	"github.com/opsplane/opsplane/shared/awsclient"
	"github.com/opsplane/opsplane/shared/installation"
	"github.com/opsplane/opsplane/shared/person"
	"github.com/opsplane/opsplane/shared/renewal"
	"github.com/opsplane/opsplane/shared/sealed"
	"github.com/opsplane/opsplane/shared/secret"
	"github.com/opsplane/opsplane/shared/session"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/user"
)

func main() {
	cfg := awsclient.Config()
	db, operations := awsclient.DynamoDB(cfg), os.Getenv("OPERATIONS_TABLE")
	r := &renewer{
		people: person.Memberships{
			Users: &user.Store{DB: db, Table: operations}, Installations: installation.Store{DB: db, Table: operations},
			Appointments: renewal.Store{DB: db, Table: operations},
		},
		providers: person.Providers(cfg, os.Getenv),
		grants: &session.Grants{
			DB: db, Table: os.Getenv("SESSIONS_TABLE"), Box: sealed.NewBox(secret.New(cfg, os.Getenv("SERVER_SECRET")).Keys), Log: telemetry.Logger(),
		},
		keys: &apikey.Store{DB: db, Table: os.Getenv("TOKENS_TABLE")},
		log:  telemetry.Logger(), now: time.Now,
	}
	lambda.Start(r.handle)
}
