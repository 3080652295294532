// Command login is the Lambda function that logs people in at their VCS. Its
// invariant: nobody is logged in by a request that was not begun by the same
// browser here, and no token of a host leaves the function but sealed.
package main

import (
	"os"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/awsclient"
	"github.com/opsplane/opsplane/shared/httpapi"
	"github.com/opsplane/opsplane/shared/installation"
	"github.com/opsplane/opsplane/shared/oauth"
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
	url := func(name string) string { return strings.TrimRight(os.Getenv(name), "/") }
	operations, sessions := os.Getenv("OPERATIONS_TABLE"), os.Getenv("SESSIONS_TABLE")
	l := &login{
		providers: map[string]provider{}, public: url("PUBLIC_BASE_URL"), log: telemetry.Logger(), box: box,
		users:         &user.Store{DB: db, Table: operations},
		installations: installation.Store{DB: db, Table: operations},
		sessions:      &session.Store{DB: db, Table: sessions},
		grants:        &session.Grants{DB: db, Table: sessions, Box: box},
	}
	if id := os.Getenv("GITHUB_APP_CLIENT_ID"); id != "" {
		l.providers["github"] = provider{
			oauth: oauth.GitHub(url("GITHUB_WEB_BASE_URL"), id, secret.New(config, os.Getenv("GITHUB_CLIENT_SECRET")).Current),
			host:  newGitHub(url("GITHUB_API_BASE_URL")), callback: "/api/github/v1/callback",
		}
	}
	if id := os.Getenv("GITLAB_APP_ID"); id != "" {
		l.providers["gitlab"] = provider{
			oauth: oauth.GitLab(url("GITLAB_WEB_BASE_URL"), id, secret.New(config, os.Getenv("GITLAB_APP_SECRET")).Current),
			host:  newGitLab(url("GITLAB_API_BASE_URL")), callback: "/api/v1/gitlab/callback",
		}
	}
	httpapi.NewLambda(routes(l), telemetry.Logger(), time.Now).Serve()
}
