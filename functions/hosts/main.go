// Command hosts is the Lambda function that asks VCS hosts in the name of its
// caller: for the installations that the caller can see, and for what GitLab
// groups need to become installations.
package main

import (
	"os"
	"time"

	"github.com/opsplane/opsplane/shared/awsclient"
	"github.com/opsplane/opsplane/shared/gitlabhost"
	"github.com/opsplane/opsplane/shared/grouptoken"
	"github.com/opsplane/opsplane/shared/httpapi"
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
	db, operations, sessions := awsclient.DynamoDB(cfg), os.Getenv("OPERATIONS_TABLE"), os.Getenv("SESSIONS_TABLE")
	box := sealed.NewBox(secret.New(cfg, os.Getenv("SERVER_SECRET")).Keys)
	h := &hosts{
		people: person.Memberships{
			Users: &user.Store{DB: db, Table: operations}, Installations: installation.Store{DB: db, Table: operations},
			Appointments: renewal.Store{DB: db, Table: operations},
		},
		providers: person.Providers(cfg, os.Getenv), grants: &session.Grants{DB: db, Table: sessions, Box: box, Log: telemetry.Logger()},
		gitlab: gitlabhost.New(os.Getenv("GITLAB_API_BASE_URL")), groups: grouptoken.New(db, sessions, box),
		allowed: readAllowed(os.Getenv("GITLAB_GROUPS")),
		words:   secret.New(cfg, os.Getenv("WEBHOOK_TOKEN_SECRET")).Words, log: telemetry.Logger(),
	}
	httpapi.NewLambda(routes(h), telemetry.Logger(), time.Now).Serve()
}
