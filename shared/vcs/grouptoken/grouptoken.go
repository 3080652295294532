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

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/erasure"
	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Store keeps tokens in SessionsTable: pk GROUP#<installation id>, sk TOKEN.
type Store struct {
	db    *dynamodb.Client
	table string
	box   *sealed.Box
	log   *slog.Logger
	now   func() time.Time // the time that is stored when a token is sealed again
}

// New returns the store in a table. The table is given by its physical name.
func New(db *dynamodb.Client, table string, box *sealed.Box) *Store {
	return &Store{db: db, table: table, box: box, log: telemetry.Logger(), now: time.Now}
}

func key(installation string) attr.Item {
	return attr.Item{"pk": attr.String("GROUP#" + installation), "sk": attr.String("TOKEN")}
}

// place returns the text that binds a sealed token to its item.
func place(installation string) string { return "SessionsTable|GROUP#" + installation + "|TOKEN" }

// Put stores a group's token and replaces an earlier one. Each token gets its own
// version. The version stays the same when the same token is sealed again.
func (s *Store) Put(ctx context.Context, installation, token string, author change.Author) error {
	box, err := s.box.Seal(ctx, place(installation), []byte(token))
	if err != nil {
		return fmt.Errorf("seal token of group %s: %w", installation, err)
	}
	item := key(installation)
	item["sealed"], item["version"] = attr.Bytes(box), attr.String(uuid.NewString())
	author.AddTo(item)
	if _, err := s.db.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.table, Item: item}); err != nil {
		return fmt.Errorf("store token of group %s: %w", installation, err)
	}
	return nil
}

// Get returns a group's token, or vcshost.ErrNoToken. If a token is sealed with an
// older value of the server's secret, Get seals it again with the newest one, so
// that the older value can be dropped.
func (s *Store) Get(ctx context.Context, installation string) (string, error) {
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: key(installation), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return "", fmt.Errorf("read token of group %s: %w", installation, err)
	}
	if len(out.Item) == 0 {
		return "", vcshost.ErrNoToken
	}
	was := attr.Read(out.Item).Bytes("sealed")
	token, err := s.box.Open(ctx, place(installation), was)
	if errors.Is(err, sealed.ErrUnsealable) {
		return "", vcshost.ErrNoToken
	}
	if err != nil {
		return "", fmt.Errorf("open token of group %s: %w", installation, err)
	}
	if err := s.sealAgain(ctx, installation, token, was); err != nil {
		// The token is good, so the caller gets it. The next call tries to seal it
		// again.
		s.log.LogAttrs(ctx, slog.LevelError, "group token not sealed again", slog.String("installation", installation), slog.String("error", err.Error()))
	}
	return string(token), nil
}

// Erase removes a group's token from a table, in the name of its author. It reports
// whether there was one. It needs no secret.
func Erase(ctx context.Context, db *dynamodb.Client, table, installation string, author change.Author) (bool, error) {
	return erasure.Item(ctx, db, table, key(installation), author)
}

// sealAgain seals the token with the newest value of the secret, if the stored text
// was is sealed with an older value.
func (s *Store) sealAgain(ctx context.Context, installation string, token, was []byte) error {
	aged, err := s.box.Aged(ctx, was)
	if err != nil || !aged {
		return err
	}
	box, err := s.box.Seal(ctx, place(installation), token)
	if err != nil {
		return err
	}
	author := change.Author{Principal: change.Server, Request: uuid.NewString(), At: s.now()}
	values := attr.Item{":sealed": attr.Bytes(box), ":was": attr.Bytes(was)}
	_, err = s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: key(installation),
		UpdateExpression:    aws.String("SET sealed = :sealed, " + author.Set(values)),
		ConditionExpression: aws.String("sealed = :was"), ExpressionAttributeValues: values,
	})
	var changed *types.ConditionalCheckFailedException
	if errors.As(err, &changed) {
		return nil // another request has sealed it, or has stored another token
	}
	return err
}
