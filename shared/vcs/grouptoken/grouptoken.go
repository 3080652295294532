// Package grouptoken keeps the access tokens of GitLab groups. The server uses
// them to act for a group. Its invariants: a token is stored sealed for its own
// group, and no caller of the API can read it.
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
	now   func() time.Time // stamps a token that is sealed again
}

// New returns the store of a table, given by its physical name.
func New(db *dynamodb.Client, table string, box *sealed.Box) *Store {
	return &Store{db: db, table: table, box: box, log: telemetry.Logger(), now: time.Now}
}

func key(installation string) attr.Item {
	return attr.Item{"pk": attr.String("GROUP#" + installation), "sk": attr.String("TOKEN")}
}

// place returns the text that binds a sealed token to its item.
func place(installation string) string { return "SessionsTable|GROUP#" + installation + "|TOKEN" }

// Put stores a group's token in place of an earlier one. Each token gets a version
// of its own, which stays when the same token is sealed again.
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

// Get returns a group's token, or vcshost.ErrNoToken. A token that is sealed with
// an older value of the server's secret is sealed again with the newest one, so
// that the older one can be dropped.
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
		// The caller gets the token all the same, and the next call tries again.
		s.log.LogAttrs(ctx, slog.LevelError, "group token not sealed again", slog.String("installation", installation), slog.String("error", err.Error()))
	}
	return string(token), nil
}

// Erase removes a group's token from a table by its author, and reports whether
// there was one. It needs no secret.
func Erase(ctx context.Context, db *dynamodb.Client, table, installation string, author change.Author) (bool, error) {
	return erasure.Item(ctx, db, table, key(installation), author)
}

// sealAgain seals the token with the newest value of the secret, if was is sealed
// with an older one.
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
		return nil // another has sealed it, or stored another token
	}
	return err
}
