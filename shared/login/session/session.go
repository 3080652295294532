// Package session holds what a person's browser is known by after a login, and
// the tokens that the host gave for it. Its invariant: the table holds nothing
// that opens a session or a host: of a session its hash alone, of a host's
// token what the server's secret alone can open.
package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
)

// How long a session lives.
const (
	// Lifetime ends a session after its login, whatever it did since.
	Lifetime = 30 * 24 * time.Hour
	// Idle ends a session that nobody used for as long.
	Idle = 7 * 24 * time.Hour
	// SeenInterval is how old the record of a session's use may be before the
	// next use writes it again: at most one write a session and day.
	SeenInterval = 24 * time.Hour
	// keep is how long an ended session's item stays, for whoever asks what
	// happened.
	keep = 30 * 24 * time.Hour
)

// Cookie is the name of the cookie that holds a session's text.
const Cookie = "session"

// ErrNotFound says that there is no such session.
var ErrNotFound = errors.New("no such session")

// Session is a login of a person in one browser.
type Session struct {
	// ID is the hash of the text that the browser holds. It opens nothing, and
	// names the session in logs and as the author of changes.
	ID string
	// User is the id of the user who logged in.
	User string
	// VCS is where, Account the id of the account there. The session is good for
	// as long as the account is the user's.
	VCS, Account string
	// CreatedAt is the login, SeenAt the last recorded use.
	CreatedAt, SeenAt time.Time
	// EndedAt is the logout; zero before.
	EndedAt time.Time
}

// Expires is when the session ends by itself.
func (s Session) Expires() time.Time {
	last, idle := s.CreatedAt.Add(Lifetime), s.SeenAt.Add(Idle)
	if idle.Before(last) {
		return idle
	}
	return last
}

// LiveAt reports whether the session lets its user in.
func (s Session) LiveAt(now time.Time) bool {
	return s.User != "" && s.EndedAt.IsZero() && now.Before(s.Expires())
}

// Capabilities are what every session may do: what its person can see and hand
// on, and nothing that runs of a plan keep for themselves.
func Capabilities() access.Set {
	return access.Normalize([]access.Capability{access.AccessTokenCreate, access.KVStoreRead, access.KVStoreWrite})
}

// random is the length of a session's text before it is encoded, in bytes.
const random = 32

// newText makes the text of a session, or of a login's state: 256 random bits.
func newText() string {
	var b [random]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// NewState makes the state of a login: 256 random bits as text.
func NewState() string { return newText() }

// IDOf answers the id of the session that text opens, if there is one; false
// for what never was a session's text, so that it costs no read.
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
