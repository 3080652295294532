// Package accesstoken makes and verifies the short-lived tokens with which callers
// use the API: JSON Web Tokens signed with Ed25519. Its invariant: a function that
// can verify tokens cannot make them, and a token is valid for one issuer, one
// audience, one algorithm and at most Lifetime.
package accesstoken

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/opsplane/opsplane/shared/api/access"
)

// Lifetime is the longest time for which a token is valid. Its end is a whole
// second, so that the real lifetime is between 59 and 60 seconds.
const Lifetime = 60 * time.Second

// Domain says where tokens are made and where they are valid.
type Domain struct {
	// Issuer names the deployment that makes the tokens. Every other deployment
	// refuses them, even if the two shared a key.
	Issuer string
	// Audience names what the tokens are for.
	Audience string
}

// ErrInvalid refuses a token that is malformed, forged, expired or made elsewhere.
// The wrapped error says which of these it is, for the log. The caller does not
// learn it.
var ErrInvalid = errors.New("invalid access token")

// Mint makes a token for the owner of an API key, with the rights of caller. The
// token ends no later than the key. The kid says which key verifies it.
func (d Domain) Mint(kid string, key ed25519.PrivateKey, caller access.Caller, now time.Time) (string, error) {
	expires := now.Truncate(time.Second).Add(Lifetime)
	if end := time.Unix(caller.Expires, 0); caller.Expires != 0 && end.Before(expires) {
		expires = end
	}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: d.Issuer, Audience: jwt.ClaimStrings{d.Audience}, Subject: caller.User,
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires),
		},
		Key: caller.Key, Capabilities: caller.Capabilities,
		Memberships: caller.Memberships, Partial: caller.Partial,
	})
	token.Header["kid"] = kid
	text, err := token.SignedString(key)
	if err != nil {
		return "", fmt.Errorf("sign access token: %w", err)
	}
	return text, nil
}

// PublicKeys returns the verification key with the given id. If it returns an
// error, the token is refused, and the error of Verify wraps that error.
type PublicKeys func(kid string) (ed25519.PublicKey, error)

// Verify returns the caller that a token names. It looks for a key only if the
// token has the right form and algorithm. Every error wraps ErrInvalid. If keys
// returned an error, that one is wrapped too.
func (d Domain) Verify(token string, now time.Time, keys PublicKeys) (access.Caller, error) {
	// The base64 decoder ignores line breaks. If they were allowed, one token would
	// have many texts.
	if strings.ContainsAny(token, "\r\n") {
		return access.Caller{}, fmt.Errorf("%w: %w", ErrInvalid, errForm)
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
		jwt.WithIssuer(d.Issuer), jwt.WithAudience(d.Audience),
		jwt.WithExpirationRequired(), jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(func() time.Time { return now }),
	)
	var c claims
	var missing error
	_, err := parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		kid, ok := t.Header["kid"].(string)
		if !ok || kid == "" {
			missing = errNoKid
			return nil, missing
		}
		var public ed25519.PublicKey
		public, missing = keys(kid)
		return public, missing
	})
	if missing != nil {
		return access.Caller{}, fmt.Errorf("%w: %w", ErrInvalid, missing)
	}
	if err != nil {
		return access.Caller{}, fmt.Errorf("%w: %w", ErrInvalid, reason(err))
	}
	return access.Caller{
		Kind: access.KindAccessToken, User: c.Subject, Key: c.Key,
		Capabilities: c.Capabilities, Memberships: c.Memberships, Partial: c.Partial,
		Expires: c.ExpiresAt.Unix(),
	}, nil
}

var (
	errNoKid = errors.New("no kid in the header")
	errForm  = errors.New("not a token of this kind")
)

// reason reduces an error of the parser to its kind, because its text may quote the
// token.
func reason(err error) error {
	for _, kind := range []error{
		errIncomplete, jwt.ErrTokenExpired, jwt.ErrTokenNotValidYet, jwt.ErrTokenInvalidIssuer, jwt.ErrTokenInvalidAudience,
		jwt.ErrTokenRequiredClaimMissing, jwt.ErrTokenSignatureInvalid, jwt.ErrTokenMalformed,
	} {
		if errors.Is(err, kind) {
			return kind
		}
	}
	return errForm
}
