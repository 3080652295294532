// Package grouptoken keeps the access tokens of GitLab groups. The server uses a
// token to act for a group. The invariants of the package: a token is sealed for
// its own group when it is stored, and no caller of the API can read it.
package grouptoken

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/erasure"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Store keeps tokens in SessionsTable: pk GROUP#<group id>, sk TOKEN.
type Store struct {
	table table.Table
	box   *sealed.Box
	log   *slog.Logger
	now   func() time.Time // the time that is stored when a token is sealed again
}

// New returns the store in a table. name is the table's physical name.
func New(db *dynamodb.Client, name string, box *sealed.Box) *Store {
	return &Store{table: table.Table{DB: db, Name: name}, box: box, log: telemetry.Logger(), now: time.Now}
}

// Keys and attributes of an item.
const (
	prefix      = "GROUP#"
	sortKey     = "TOKEN"
	attrSealed  = "sealed"
	attrVersion = "version"
)

func key(group vcs.ID) attr.Item {
	return attr.Item{"pk": attr.String(prefix + string(group)), "sk": attr.String(sortKey)}
}

// place returns the text that binds a sealed token to its item.
func place(group vcs.ID) string { return "SessionsTable|" + prefix + string(group) + "|" + sortKey }

// Put stores a group's token and replaces an earlier one. Each token gets its own
// version. The version stays the same when the same token is sealed again.
func (s *Store) Put(ctx context.Context, group vcs.ID, token string, author change.Author) error {
	box, err := s.box.Seal(ctx, place(group), []byte(token))
	if err != nil {
		return fmt.Errorf("seal token of group %s: %w", group, err)
	}
	item := key(group)
	item[attrSealed], item[attrVersion] = attr.Bytes(box), attr.String(uuid.NewString())
	author.AddTo(item)
	if err := s.table.Put(ctx, item); err != nil {
		return fmt.Errorf("store token of group %s: %w", group, err)
	}
	return nil
}

// Get returns a group's token, or vcshost.ErrNoToken. If a token is sealed with an
// older value of the server's secret, Get seals it again with the newest one, so
// that the older value can be dropped.
func (s *Store) Get(ctx context.Context, group vcs.ID) (string, error) {
	item, err := s.table.Get(ctx, key(group))
	if err != nil {
		return "", fmt.Errorf("read token of group %s: %w", group, err)
	}
	if item == nil {
		return "", vcshost.ErrNoToken
	}
	was := attr.Read(item).Bytes(attrSealed)
	token, err := s.box.Open(ctx, place(group), was)
	if errors.Is(err, sealed.ErrUnsealable) {
		return "", vcshost.ErrNoToken
	}
	if err != nil {
		return "", fmt.Errorf("open token of group %s: %w", group, err)
	}
	if err := s.sealAgain(ctx, group, token, was); err != nil {
		// The token is good, so the caller gets it. The next call tries to seal it
		// again.
		s.log.LogAttrs(ctx, slog.LevelError, "group token not sealed again", slog.String("installation", string(group)), slog.String("error", err.Error()))
	}
	return string(token), nil
}

// Erase removes a group's token from a table, in the name of its author. It reports
// whether there was one. It needs no secret. name is the table's physical name.
func Erase(ctx context.Context, db *dynamodb.Client, name string, group vcs.ID, author change.Author) (bool, error) {
	return erasure.Item(ctx, db, name, key(group), author)
}

// sealAgain seals the token with the newest value of the secret, if the stored text
// was is sealed with an older value.
func (s *Store) sealAgain(ctx context.Context, group vcs.ID, token, was []byte) error {
	aged, err := s.box.Aged(ctx, was)
	if err != nil || !aged {
		return err
	}
	box, err := s.box.Seal(ctx, place(group), token)
	if err != nil {
		return err
	}
	author := change.Author{Principal: change.Server, Request: uuid.NewString(), At: s.now()}
	err = s.table.Update(ctx, table.Change(key(group)).Set(attrSealed, attr.Bytes(box)).SetAll(author.All()).
		If(table.Equal(attrSealed, attr.Bytes(was))))
	if _, changed := table.ConditionFailed(err); changed {
		return nil // another request has sealed it, or has stored another token
	}
	return err
}
