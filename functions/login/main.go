// Command login is the Lambda function that logs people in at their VCS. Its
// invariant: nobody is logged in by a request that was not begun by the same
// browser here, and no token of a host leaves the function but sealed.
package main

import (
	"os"
	"time"

	"github.com/opsplane/opsplane/shared/awsclient"
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
	config := awsclient.Config()
	db := awsclient.DynamoDB(config)
	box := sealed.NewBox(secret.New(config, os.Getenv("SERVER_SECRET")).Keys)
	operations, sessions := os.Getenv("OPERATIONS_TABLE"), os.Getenv("SESSIONS_TABLE")
	l := &login{
		providers: person.Providers(config, os.Getenv),
		log:       telemetry.Logger(), box: box,
		people: person.Memberships{
			Users: &user.Store{DB: db, Table: operations}, Installations: installation.Store{DB: db, Table: operations},
			Appointments: renewal.Store{DB: db, Table: operations},
		},
		sessions: &session.Store{DB: db, Table: sessions},
		grants:   &session.Grants{DB: db, Table: sessions, Box: box},
	}
	httpapi.NewLambda(routes(l), telemetry.Logger(), time.Now).Serve()
}
