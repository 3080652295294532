package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Store keeps sessions in SessionsTable: pk SESSION#<id>, sk SESSION. It also keeps
// the states of logins that were used: pk STATE#<hash>, sk STATE.
type Store struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is the physical name of SessionsTable.
	Table string
}

func (s *Store) table() table.Table { return table.Table{DB: s.DB, Name: s.Table} }

// prefixSession begins the partition key of a session. The id follows.
const prefixSession = "SESSION#"

// Attributes of sessions.
const (
	attrUser    = "user" // the id of the user
	attrVCS     = "vcs"
	attrAccount = "account"
	attrCreated = "created_at"
	attrSeen    = "seen_at"
	attrEnded   = "ended_at"
)

func sessionKey(id string) attr.Item {
	return attr.Item{"pk": attr.String(prefixSession + id), "sk": attr.String("SESSION")}
}

// Create begins a session of the user with an id, who has logged in with an
// account. It returns the text that opens the session. The text itself is not
// stored.
func (s *Store) Create(ctx context.Context, user string, account vcs.Account, author change.Author) (string, Session, error) {
	text := newText()
	at := author.At.UTC().Truncate(time.Second)
	made := Session{ID: hash(text), User: user, Account: account, CreatedAt: at, SeenAt: at}
	author.Credential = made.ID
	item := sessionKey(made.ID)
	item[attrUser], item[attrVCS], item[attrAccount] = attr.String(user), attr.String(string(account.VCS)), attr.String(string(account.ID))
	item[attrCreated], item[attrSeen] = attr.Time(at), attr.Time(at)
	item["ttl"] = attr.Time(made.Expires().Add(keep))
	author.AddTo(item)
	if err := s.table().Put(ctx, item); err != nil {
		return "", Session{}, fmt.Errorf("write session: %w", err)
	}
	return text, made, nil
}

// Get reads a session, valid or not, with a strongly consistent read. It returns
// ErrNotFound if there is none.
func (s *Store) Get(ctx context.Context, id string) (Session, error) {
	item, err := s.table().Get(ctx, sessionKey(id))
	if err != nil {
		return Session{}, fmt.Errorf("read session: %w", err)
	}
	if len(item) == 0 {
		return Session{}, ErrNotFound
	}
	r := attr.Read(item)
	found := Session{
		ID: id, User: r.String(attrUser), Account: vcs.Account{VCS: vcs.VCS(r.String(attrVCS)), ID: vcs.ID(r.String(attrAccount))},
		CreatedAt: r.Time(attrCreated), SeenAt: r.Time(attrSeen), EndedAt: r.Time(attrEnded),
	}
	if err := r.Err(); err != nil {
		return Session{}, fmt.Errorf("decode session: %w", err)
	}
	return found, nil
}

// See records that the session is in use at author.At. So its end by Idle is later.
// It returns ErrNotFound if there is no such session, or if it was ended.
func (s *Store) See(ctx context.Context, id string, author change.Author) error {
	return s.update(ctx, author, table.Change(sessionKey(id)).Set(attrSeen, attr.Time(author.At)).Set("ttl", attr.Time(author.At.Add(Idle+keep))))
}

// End ends the session. From then on it gives no access. It returns ErrNotFound if
// there is no such session, or if it was ended before.
func (s *Store) End(ctx context.Context, id string, author change.Author) error {
	return s.update(ctx, author, table.Change(sessionKey(id)).Set(attrEnded, attr.Time(author.At)).Set("ttl", attr.Time(author.At.Add(keep))))
}

func (s *Store) update(ctx context.Context, author change.Author, edit *table.Edit) error {
	// The item holds the request's id. If the response was lost and the request is
	// sent again, it finds that it has ended the session itself.
	err := s.table().Update(ctx, edit.SetAll(author.All()).
		If(table.Exists("pk"), table.AbsentOr(attrEnded, table.Equal(change.AttrRequest, attr.String(author.Request)))))
	if _, missing := table.ConditionFailed(err); missing {
		return ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("update session: %w", err)
	}
	return nil
}

// ErrSpent says that a login's state was used before.
var ErrSpent = errors.New("the state of this login was used before")

// Spend marks a login's state as used. Of all calls with one state, the first
// succeeds. The others return ErrSpent. until must be a time at which the state is
// already refused for its age: after it, the table may forget the state.
func (s *Store) Spend(ctx context.Context, state string, until time.Time, author change.Author) error {
	item := attr.Item{"pk": attr.String("STATE#" + hash(state)), "sk": attr.String("STATE"), "ttl": attr.Time(until)}
	author.AddTo(item)
	err := s.table().Put(ctx, item, table.AbsentOr("pk", table.Equal(change.AttrRequest, attr.String(author.Request))))
	if _, taken := table.ConditionFailed(err); taken {
		return ErrSpent
	}
	if err != nil {
		return fmt.Errorf("spend login state: %w", err)
	}
	return nil
}
