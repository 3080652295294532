// Package accesstoken mints and verifies the short-lived tokens with which
// callers use the API: JSON Web Tokens signed with Ed25519. Its invariant:
// whoever can verify cannot mint, and a token is good for one issuer, one
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

// Lifetime is how long a token lasts at most. Its end is a whole second, so
// that the real lifetime is between 59 and 60 seconds.
const Lifetime = 60 * time.Second

// Domain is where tokens are made and where they are good.
type Domain struct {
	// Issuer names the deployment that mints: a token of one is refused by
	// every other, even if they shared a key.
	Issuer string
	// Audience names what the tokens are for.
	Audience string
}

// ErrInvalid refuses a token: malformed, forged, expired or made elsewhere.
// The wrapped error says which, for the log; the holder is told nothing.
var ErrInvalid = errors.New("invalid access token")

// Mint makes a token for the holder of an API key, with the rights of caller
// and no end later than the key's own. The kid tells verifiers which key to
// use.
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

// PublicKeys finds the verification key with the given id. Its error refuses
// the token and is found in that of Verify.
type PublicKeys func(kid string) (ed25519.PublicKey, error)

// Verify answers who holds the token. It looks for a key only once the token
// has the right form and algorithm. Every error wraps ErrInvalid, and that of
// keys where it is the cause.
func (d Domain) Verify(token string, now time.Time, keys PublicKeys) (access.Caller, error) {
	// The decoder of base64 passes over line breaks: one token would have many
	// texts.
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

// reason cuts an error of the parser down to its kind: its text may quote the
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
