// Package apikey holds API keys: the long-lived credentials that are exchanged for
// access tokens. Its invariant: the secret of a key leaves this package once, in
// the result of its creation. What is stored cannot be used to act as the key's
// owner.
package apikey

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/ratelimit"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// Limits of a key.
const (
	// MaxName is the largest length of a name, in bytes. Keys are sorted by name in
	// an index whose sort key has at most 1,024 bytes.
	MaxName = 200
	// MaxDescription is the largest length of a description, in bytes.
	MaxDescription = 1000
	// MaxPerUser is the largest number of live keys of a user. It stops a script
	// that makes keys and forgets them. Keys that are made at the same moment may
	// exceed the limit by their number.
	MaxPerUser = 100
	// maxListed is the largest number of keys in a user's list, together with keys
	// that have expired and are still listed. To make one more key, the server
	// reads them all.
	maxListed = 10_000
)

// creations limits how often a user may make a key. A user can still replace every
// live key right after making them all. It limits revocations too, because a key is
// revoked only once: there are at most MaxPerUser more, of the keys that live
// already. So no revocation, which may stop a leak, is ever refused because of a
// limit.
var creations = ratelimit.Limit{Name: "CREATE", Max: 2 * MaxPerUser, Window: 10 * time.Minute}

// How long keys and records of use last.
const (
	// keep is how long a key's item remains after the key has ended.
	keep = 30 * 24 * time.Hour
	// UseInterval is the least time between two recorded uses. A token lives for a
	// minute. So for a client that works without a break, about every tenth
	// exchange is recorded.
	UseInterval = 10 * time.Minute
)

// The errors of the store besides faults.
var (
	// ErrNotFound says that the user has no such key.
	ErrNotFound = errors.New("no such API key")
	// ErrRevoked says that the key was revoked or does not exist.
	ErrRevoked = errors.New("the API key is revoked")
)

// Key is what is known of an API key. Times are whole seconds. A time is zero if
// the event has not happened.
type Key struct {
	// ID is the key's id and User the id of its owner. Both are lower-case UUIDs.
	ID, User string
	// Name is the name that lists show, up to MaxName bytes. It may be empty and
	// need not be unique.
	Name string
	// Description is up to MaxDescription bytes.
	Description string
	// Capabilities are what tokens of this key may do, and where.
	Capabilities access.Set
	// CreatedAt is when the key was made.
	CreatedAt time.Time
	// ExpiresAt is when the key ends by itself. Zero means never.
	ExpiresAt time.Time
	// LastUsedAt is when the key was last exchanged for a token, exact to about
	// UseInterval. Zero means never.
	LastUsedAt time.Time
	// RevokedAt is when the key was revoked. Zero means that it is not revoked.
	RevokedAt time.Time

	hash []byte
}

// LiveAt reports whether the key is valid at the time now.
func (k Key) LiveAt(now time.Time) bool {
	return k.ID != "" && k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
}

// Cursor returns the key's place among its owner's keys as List sorts them: by
// name, and by id if names are equal.
func (k Key) Cursor() string { return k.Name + "\x00" + k.ID }

// New is a key to be made.
type New struct {
	// User is the id of its owner.
	User string
	// Name, Description, Capabilities and ExpiresAt are as in Key.
	Name, Description string
	Capabilities      access.Set
	ExpiresAt         time.Time
	// Parent is the id of the user's API key with which the new key is made. It
	// must be live when the new key is stored. It is empty if no key is used,
	// because an operator or a person's session makes the new key.
	Parent string
}

func (n New) valid(now time.Time) error {
	switch {
	case len(n.Name) > MaxName:
		return fault.Invalidf("NAME_TOO_LONG", "the name has %d bytes; at most %d are allowed", len(n.Name), MaxName)
	case strings.ContainsRune(n.Name, 0):
		return fault.Invalidf("INVALID_NAME", "the name contains the character U+0000")
	case len(n.Description) > MaxDescription:
		return fault.Invalidf("DESCRIPTION_TOO_LONG", "the description has %d bytes; at most %d are allowed", len(n.Description), MaxDescription)
	case !n.ExpiresAt.IsZero() && n.ExpiresAt.Unix() <= now.Unix():
		return fault.Invalidf("INVALID_EXPIRY", "expires_at is not in the future")
	}
	return access.Bounded("a key", len(n.Capabilities))
}

// ItemKey is the key of an API key's item in TokensTable.
func ItemKey(user, id string) attr.Item {
	return attr.Item{"pk": attr.String(prefixUser + user), "sk": attr.String(prefixKey + id)}
}

const (
	prefixUser = "USER#"
	prefixKey  = "KEY#"
)

// Attributes of an item. Times are Unix seconds.
const (
	attrHash         = "hash"
	attrName         = "name"
	attrDescription  = "description"
	attrCapabilities = "capabilities" // JSON
	attrCreated      = "created_at"
	attrExpires      = "expires_at"
	attrUsed         = "last_used_at"
	attrRevoked      = "revoked_at"
	attrTTL          = "ttl"
	attrByName       = "by_name" // the sort key of the index with the same name
)

// Decode reads the item of an API key. For an empty item it returns ErrNotFound.
func Decode(item attr.Item) (Key, error) {
	if len(item) == 0 {
		return Key{}, ErrNotFound
	}
	r := attr.Read(item)
	k := Key{
		ID:          strings.TrimPrefix(r.String("sk"), prefixKey),
		User:        strings.TrimPrefix(r.String("pk"), prefixUser),
		Name:        r.String(attrName),
		Description: r.String(attrDescription),
		CreatedAt:   r.Time(attrCreated),
		ExpiresAt:   r.Time(attrExpires),
		LastUsedAt:  r.Time(attrUsed),
		RevokedAt:   r.Time(attrRevoked),
		hash:        r.Bytes(attrHash),
	}
	if err := r.Err(); err != nil {
		return Key{}, fmt.Errorf("decode API key: %w", err)
	}
	if err := json.Unmarshal([]byte(r.String(attrCapabilities)), &k.Capabilities); err != nil {
		// Use only the message: a fault in the error chain would become a response.
		return Key{}, fmt.Errorf("decode the capabilities of API key %s: %v", k.ID, err)
	}
	return k, nil
}

func (k Key) item() (attr.Item, error) {
	capabilities, err := json.Marshal(k.Capabilities)
	if err != nil {
		return nil, fmt.Errorf("encode capabilities: %w", err)
	}
	item := ItemKey(k.User, k.ID)
	item[attrHash] = attr.Bytes(k.hash)
	item[attrName] = attr.String(k.Name)
	item[attrDescription] = attr.String(k.Description)
	item[attrCapabilities] = attr.String(string(capabilities))
	item[attrCreated] = attr.Time(k.CreatedAt)
	item[attrByName] = attr.String(k.Cursor())
	if !k.ExpiresAt.IsZero() {
		item[attrExpires] = attr.Time(k.ExpiresAt)
		item[attrTTL] = attr.Time(k.ExpiresAt.Add(keep))
	}
	return item, nil
}
