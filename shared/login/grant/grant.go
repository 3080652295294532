// Package grant stores host grants: the tokens that a host gave for a person who
// logged in. It refreshes them when they end. Its invariant: the table holds no
// token that can be read. Each grant is sealed for its own place in the table, and
// only the server's secret can open it.
package grant

import (
	"context"
	"errors"
	"time"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Grant holds the tokens with which a host lets us act for a person there.
type Grant struct {
	// Access is the token for requests.
	Access string `json:"access"`
	// Refresh is exchanged for the next grant. It is empty if the host gives none.
	Refresh string `json:"refresh,omitempty"`
	// ExpiresAt is the time at which Access ends. It is zero if Access does not
	// end.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// String hides the tokens from logs.
func (Grant) String() string { return "(grant)" }

// slack is how long before its end a grant is no longer used, because it must last
// for the caller's requests.
const slack = 2 * time.Minute

func (g Grant) freshAt(now time.Time) bool {
	return g.ExpiresAt.IsZero() || now.Add(slack).Before(g.ExpiresAt)
}

var (
	// ErrNone says that the person must log in at the host again: the person
	// never did, did so with another account, the grant has ended, or the host
	// revoked it.
	ErrNone = errors.New("no valid grant of the host: log in again")
	// ErrRefused is the error of a Refresher if the host says that the refresh
	// token is not valid, or no longer valid.
	ErrRefused = errors.New("the host refused the refresh token")
	// ErrRefreshing says that another call was refreshing the grant, and had not
	// ended when this call stopped waiting. A later call may succeed.
	ErrRefreshing = errors.New("another call refreshes the grant")
)

// Refresher exchanges a refresh token at a host. It returns ErrRefused, wrapped or
// not, if the host refuses the token.
type Refresher func(ctx context.Context, refresh string) (Grant, error)

// Holder says who has a grant: the user, and the user's account at a VCS.
type Holder struct {
	// User is the id of the user.
	User string
	// Account is the user's account at the VCS. The grant of an account that the user
	// had before cannot be opened with this one.
	Account vcs.Account
}

// place returns the text that binds a sealed grant to its holder.
func (h Holder) place() string {
	return "SessionsTable|USER#" + h.User + "|TOKEN#" + string(h.Account.VCS) + "|" + string(h.Account.ID)
}

func (h Holder) key() attr.Item {
	return attr.Item{"pk": attr.String("USER#" + h.User), "sk": attr.String("TOKEN#" + string(h.Account.VCS))}
}
