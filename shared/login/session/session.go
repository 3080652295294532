// Package session stores the sessions of people's browsers after a login. Its
// invariant: the table holds nothing that gives access to a session. It holds only
// the hash of the text that opens it.
package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/vcs"
)

// The times of a session's life.
const (
	// Lifetime is the maximum time from the login to the end of a session.
	Lifetime = 30 * 24 * time.Hour
	// Idle is the time without use after which a session ends.
	Idle = 7 * 24 * time.Hour
	// SeenInterval is how old the recorded time of last use must be before it is
	// written again. So there is at most one write for each session and day.
	SeenInterval = 24 * time.Hour
	// keep is how long the item of an ended session stays, so that one can find out
	// what happened.
	keep = 30 * 24 * time.Hour
)

// Cookie is the name of the cookie that holds a session's text.
const Cookie = "session"

// ErrNotFound says that there is no such session.
var ErrNotFound = errors.New("no such session")

// Session is a login of a person in one browser.
type Session struct {
	// ID is the hash of the text that the browser holds. It gives no access. It
	// names the session in logs and as the author of changes.
	ID string
	// User is the id of the user who logged in.
	User string
	// Account is the account with which the user logged in. The session is valid only
	// while the account belongs to the user.
	Account vcs.Account
	// CreatedAt is the time of the login. SeenAt is the last recorded use.
	CreatedAt, SeenAt time.Time
	// EndedAt is the time of the logout. It is zero before.
	EndedAt time.Time
}

// Expires returns the time at which the session ends by itself.
func (s Session) Expires() time.Time {
	last, idle := s.CreatedAt.Add(Lifetime), s.SeenAt.Add(Idle)
	if idle.Before(last) {
		return idle
	}
	return last
}

// LiveAt reports whether the session is valid at a time.
func (s Session) LiveAt(now time.Time) bool {
	return s.User != "" && s.EndedAt.IsZero() && now.Before(s.Expires())
}

// Capabilities returns the capabilities of every session: all that its person may
// see and pass on. The capabilities that are only for runs are not among them.
func Capabilities() access.Set {
	return access.Normalize([]access.Capability{access.AccessTokenCreate, access.KVStoreRead, access.KVStoreWrite})
}

// random is the length of a session's text before it is encoded, in bytes.
const random = 32

// newText returns a new text for a session, or for a login's state: 256 random
// bits.
func newText() string {
	var b [random]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// NewState returns a new state of a login: 256 random bits as text.
func NewState() string { return newText() }

// IDOf returns the id of the session that a text opens. It returns false if the
// text does not have the form of a session's text. That costs no read.
func IDOf(text string) (string, bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != random || strings.ContainsAny(text, "\r\n") {
		return "", false
	}
	return hash(text), true
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
