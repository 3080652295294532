// Command authorizer is the Lambda function that reports to the gateway who is calling.
// The gateway invokes it before every request whose route needs a caller. Its
// invariant: it refuses a request if it cannot find out who is calling. So a failure
// of storage admits no caller.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/opsplane/opsplane/shared/credential/accesstoken"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/credential/signing"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/telemetry"
)

func main() {
	db, tokens := awsclient.DynamoDB(awsclient.Config()), os.Getenv("TOKENS_TABLE")
	published, log := &signing.Store{DB: db, TokensTable: tokens}, telemetry.Logger()
	a := authorizer{
		domain:    accesstoken.Domain{Issuer: os.Getenv("TOKEN_ISSUER"), Audience: os.Getenv("TOKEN_AUDIENCE")},
		directory: directory{db: db, tokens: tokens, operations: os.Getenv("OPERATIONS_TABLE")},
		sessions:  &session.Store{DB: db, Table: os.Getenv("SESSIONS_TABLE")},
		public:    os.Getenv("PUBLIC_BASE_URL"),
		authority: authority{read: published.Authority},
		revoked:   revocations{read: published.Revocations, find: (&apikey.Store{DB: db, Table: tokens}).Get, log: log},
		runs:      runstore.Store{DB: db, Table: os.Getenv("RUNS_TABLE")}.Bearer,
		log:       log,
		now:       time.Now,
	}
	lambda.Start(a.handle)
}
