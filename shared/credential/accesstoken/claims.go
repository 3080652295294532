package accesstoken

import (
	"errors"

	"github.com/golang-jwt/jwt/v5"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/vcs"
)

// claims is the payload of a token. The names of this product's own members are
// short, because every request carries a token.
type claims struct {
	jwt.RegisteredClaims
	// Key is the id of the API key behind the token. A verifier refuses the
	// token once that key is revoked.
	Key string `json:"key"`
	// Capabilities are those of the key.
	Capabilities access.Set `json:"cap"`
	// Memberships are those of the user at the time when the token was made.
	Memberships []vcs.Installation `json:"mem,omitempty"`
	// Partial says that there were too many memberships for a token.
	Partial bool `json:"many,omitempty"`
}

// errIncomplete refuses a token without an owner.
var errIncomplete = errors.New("no subject or key")

// Validate is called by the parser after its own checks.
func (c claims) Validate() error {
	if c.Subject == "" || c.Key == "" {
		return errIncomplete
	}
	return nil
}

var _ jwt.ClaimsValidator = claims{}
