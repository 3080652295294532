package apikey

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/ratelimit"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Store keeps API keys in TokensTable: pk USER#<user id>, sk KEY#<key id>. The
// index by_name has the keys that are not revoked. The counters of creations are in
// the same table.
type Store struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is the physical name of TokensTable.
	Table string
}

// Create makes a key and returns its text, which cannot be read again later. It
// returns an Invalid fault if a limit is exceeded or the end is not in the future.
// It returns a TooMany fault if the user made too many keys in a short time, and
// ErrRevoked if the parent is not live.
//
// The parent may be revoked at the same time. Then either the creation takes effect
// first, and a list that is read after the revocation has the new key; or the
// creation fails.
func (s *Store) Create(ctx context.Context, n New, author change.Author) (string, Key, error) {
	if n.Capabilities = access.Normalize(n.Capabilities); n.Capabilities == nil {
		n.Capabilities = access.Set{}
	}
	if err := n.valid(author.At); err != nil {
		return "", Key{}, err
	}
	// The count comes first, because room costs more for a user with many keys.
	if err := s.count(ctx, n.User, author); err != nil {
		return "", Key{}, err
	}
	if err := s.room(ctx, n.User, author.At); err != nil {
		return "", Key{}, err
	}
	secret, err := newSecret(n.User)
	if err != nil {
		return "", Key{}, fmt.Errorf("make API key: %w", err)
	}
	k := Key{
		ID: secret.ID, User: secret.User, Name: n.Name, Description: n.Description, Capabilities: n.Capabilities,
		CreatedAt: seconds(author.At), ExpiresAt: seconds(n.ExpiresAt), hash: secret.hash(),
	}
	item, err := k.item()
	if err != nil {
		return "", Key{}, err
	}
	author.AddTo(item)
	if err := s.put(ctx, item, n, author.At); err != nil {
		return "", Key{}, err
	}
	return secret.text(), k, nil
}

// put stores a new key. If the key has a parent, the parent must be live. The id is
// random. If it exists already, an earlier try of this call wrote it, and the
// response of that try was lost.
func (s *Store) put(ctx context.Context, item attr.Item, n New, now time.Time) error {
	t := s.table()
	if n.Parent == "" {
		err := t.Put(ctx, item, table.Absent("pk"))
		if _, exists := table.ConditionFailed(err); err != nil && !exists {
			return fmt.Errorf("create API key: %w", err)
		}
		return nil
	}
	conditions := append(revocable(), table.AbsentOr(attrExpires, table.Greater(attrExpires, attr.Time(now))))
	err := t.Transact(ctx, t.WritePut(item, table.Absent("pk")), t.WriteCheck(ItemKey(n.User, n.Parent), conditions...))
	if _, exists := table.ConditionFailedAt(err, 0); err == nil || exists {
		return nil
	}
	if _, dead := table.ConditionFailedAt(err, 1); dead {
		return ErrRevoked
	}
	return fmt.Errorf("create API key: %w", err)
}

func (s *Store) table() table.Table { return table.Table{DB: s.DB, Name: s.Table} }

// ofUser returns the condition of a query for items of a user.
func ofUser(user string) table.Condition { return table.Equal("pk", attr.String(prefixUser+user)) }

// seconds cuts t to whole seconds, in UTC. The zero time stays zero.
func seconds(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return time.Unix(t.Unix(), 0).UTC()
}

// room returns an Invalid fault if the user cannot have another key. Expired keys
// do not count as live, though they are listed until they are removed.
func (s *Store) room(ctx context.Context, user string, now time.Time) error {
	live, listed := 0, 0
	for page, err := range s.table().Pages(ctx, table.Query{
		Index: indexName, CountOnly: true, Key: []table.Condition{ofUser(user)},
		Filter: []table.Condition{table.AbsentOr(attrExpires, table.Greater(attrExpires, attr.Time(now)))},
	}) {
		if err != nil {
			return fmt.Errorf("count API keys: %w", err)
		}
		if listed += page.Read; listed >= maxListed {
			return fault.Invalidf("TOO_MANY_KEYS", "this user has %d API keys; most of them have expired and are still listed: "+
				"revoke them, or wait until they go, 30 days after their end", listed)
		}
		if live += page.Count; live >= MaxPerUser {
			return fault.Invalidf("TOO_MANY_KEYS", "a user can have %d API keys: revoke one that is no longer used", MaxPerUser)
		}
	}
	return nil
}

// count counts a creation. It returns a TooMany fault if there were too many.
func (s *Store) count(ctx context.Context, user string, author change.Author) error {
	counters := ratelimit.Store{DB: s.DB, Table: s.Table}
	wait, err := counters.Take(ctx, "USER#"+user, creations, author)
	if err != nil || wait == 0 {
		return err
	}
	return fault.TooManyf("TOO_MANY_NEW_KEYS", "a user can make %d API keys in %d minutes: use the ones that you have, or try again in %d seconds",
		creations.Max, int(creations.Window.Minutes()), int((wait+time.Second-1)/time.Second)).After(wait)
}

// Get reads a key, strongly consistent, even if it is revoked. It returns
// ErrNotFound if the user has no such key.
func (s *Store) Get(ctx context.Context, user, id string) (Key, error) {
	item, err := s.table().Get(ctx, ItemKey(user, id))
	if err != nil {
		return Key{}, fmt.Errorf("read API key: %w", err)
	}
	return Decode(item)
}

// MarkUsed records that the key was used at author.At, unless a use in the last
// UseInterval is recorded. It returns ErrRevoked for a key that is revoked or does
// not exist. It is safe to repeat. A token may be made for a key only after a use
// of the key was recorded (see Revoke).
func (s *Store) MarkUsed(ctx context.Context, user, id string, author change.Author) error {
	err := s.table().Update(ctx, table.Change(ItemKey(user, id)).Set(attrUsed, attr.Time(author.At)).SetAll(author.All()).
		If(revocable()...).If(table.AbsentOr(attrUsed, table.AtMost(attrUsed, attr.Time(author.At.Add(-UseInterval))))).KeepOld())
	old, failed := table.ConditionFailed(err)
	if !failed {
		if err != nil {
			return fmt.Errorf("record the use of an API key: %w", err)
		}
		return nil
	}
	if k, err := Decode(old); err != nil || !k.RevokedAt.IsZero() {
		return ErrRevoked
	}
	return nil
}
