package grant

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/erasure"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Erase removes the host grant of a user at a VCS from a table, in the name of
// its author, and reports whether there was one. It needs no secret.
func Erase(ctx context.Context, db *dynamodb.Client, table, user string, at vcs.VCS, author change.Author) (bool, error) {
	return erasure.Item(ctx, db, table, Holder{User: user, Account: vcs.Account{VCS: at}}.key(), author)
}
