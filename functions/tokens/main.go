// Command tokens is the Lambda function that keeps API keys and exchanges them for
// access tokens.
package main

import (
	"os"
	"time"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/credential/accesstoken"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/credential/signing"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/storage/awsclient"
	"github.com/opsplane/opsplane/shared/telemetry"
)

func main() {
	db, table, log := awsclient.DynamoDB(awsclient.Config()), os.Getenv("TOKENS_TABLE"), telemetry.Logger()
	t := &tokens{
		keys:   &apikey.Store{DB: db, Table: table},
		users:  &user.Store{DB: db, Table: os.Getenv("OPERATIONS_TABLE")},
		signer: &signer{read: (&signing.Store{DB: db, KeysTable: os.Getenv("SIGNING_KEYS_TABLE"), TokensTable: table}).Keys},
		domain: accesstoken.Domain{Issuer: os.Getenv("TOKEN_ISSUER"), Audience: os.Getenv("TOKEN_AUDIENCE")},
		log:    log,
	}
	httpapi.NewLambda(routes(t), log, time.Now).Serve()
}
