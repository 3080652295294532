// Package runtoken makes and reads the tokens of runs. The manifest of a run holds
// its token, and the runner sends it with every later request. A token is text of
// the form opsr_<id of the run>_<secret>. The run's item holds only the digest. So
// one read of that item decides about a token, and who reads the table cannot act as
// a runner. Runners mask the token wherever it occurs in an output, so it must be
// long, and must never occur by chance.
package runtoken

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"github.com/opsplane/opsplane/shared/run"
)

// Prefix is the beginning of every token, by which tools that look for secrets, and
// the authorizer, recognise it.
const Prefix = "opsr_"

const (
	// secretBytes is the size of the secret: 256 random bits.
	secretBytes = 32
	idLength    = 36 // of a UUID, in characters
)

// DigestSize is the length of a digest, in bytes.
const DigestSize = sha256.Size

// New returns a new token of a run.
func New(id run.ID) string {
	var secret [secretBytes]byte
	_, _ = rand.Read(secret[:]) // never fails: crypto/rand
	return Prefix + string(id) + "_" + base64.RawURLEncoding.EncodeToString(secret[:])
}

// Place returns the place for which the token of a run is sealed: who creates the run
// seals the token there, and the response to the runner opens it there (package
// sealed).
func Place(id run.ID) string { return "token of run " + string(id) }

// RunOf returns the id of the run that a token names. It returns false for a text
// that does not have the form of a token. It does not say whether the token is
// right: compare its digest.
func RunOf(token string) (run.ID, bool) {
	rest, ok := strings.CutPrefix(token, Prefix)
	if !ok || len(rest) != idLength+1+base64.RawURLEncoding.EncodedLen(secretBytes) || rest[idLength] != '_' {
		return "", false
	}
	id, err := run.ParseID(rest[:idLength])
	if err != nil || string(id) != rest[:idLength] {
		return "", false
	}
	secret, err := base64.RawURLEncoding.Strict().DecodeString(rest[idLength+1:])
	return id, err == nil && len(secret) == secretBytes
}

// Digest returns the digest of a token, DigestSize bytes. The token has 256 random
// bits, so that a plain hash is enough.
func Digest(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// Matches reports whether a digest is that of the token. It takes the same time for
// every token.
func Matches(token string, digest []byte) bool {
	return len(digest) == DigestSize && subtle.ConstantTimeCompare(Digest(token), digest) == 1
}
