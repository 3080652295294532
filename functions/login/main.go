// Command login is the Lambda function that logs people in at their VCS. Its
// invariants: a request logs a person in only if the same browser began the login
// here, and a token of a host leaves the function only sealed.
package main

import (
	"os"
	"strconv"
	"time"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/ratelimit"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/credential/secret"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/loginhost"
	"github.com/opsplane/opsplane/shared/login/membership"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

func main() {
	config := awsclient.Config()
	db := awsclient.DynamoDB(config)
	box := sealed.NewBox(secret.New(config, os.Getenv("SERVER_SECRET"), time.Now).Keys)
	operations, sessions := os.Getenv("OPERATIONS_TABLE"), os.Getenv("SESSIONS_TABLE")
	l := &login{
		loginHosts: loginhost.FromEnv(config, os.Getenv, time.Now),
		log:        telemetry.Logger(), box: box,
		people: membership.Memberships{
			Users: &user.Store{DB: db, Table: operations}, Installations: installation.Store{DB: db, Table: operations},
			Renewals: membership.Renewals{DB: db, Table: operations},
		},
		sessions: &session.Store{DB: db, Table: sessions},
		grants:   &grant.Store{DB: db, Table: sessions, Box: box},
		attempts: &ratelimit.Store{DB: db, Table: sessions}, failures: failures(os.Getenv("LOGIN_FAILURE_LIMIT")),
	}
	httpapi.NewLambda(routes(l), telemetry.Logger(), time.Now).Serve()
}

// failures reads how many logins of an address may fail. The template allows only a
// number, 0 or more.
func failures(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		panic("LOGIN_FAILURE_LIMIT=" + strconv.Quote(text) + " is not a number from 0 on")
	}
	return n
}
