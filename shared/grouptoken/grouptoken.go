// Package grouptoken keeps the access tokens of GitLab groups, with which the
// server acts for a group. Its invariant: a token is stored sealed, for its own
// group, and nothing answers it to a caller.
package grouptoken

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/attr"
	"github.com/opsplane/opsplane/shared/change"
	"github.com/opsplane/opsplane/shared/sealed"
)

// ErrNone says that no token is stored for the group, or none that can be
// opened: somebody has to store one.
var ErrNone = errors.New("no access token is stored for the group")

// Store keeps tokens in SessionsTable: pk GROUP#<installation id>, sk TOKEN.
type Store struct {
	db    *dynamodb.Client
	table string
	box   *sealed.Box
}

// New returns the store of a table, given by its physical name.
func New(db *dynamodb.Client, table string, box *sealed.Box) *Store {
	return &Store{db: db, table: table, box: box}
}

func key(installation string) attr.Item {
	return attr.Item{"pk": attr.String("GROUP#" + installation), "sk": attr.String("TOKEN")}
}

// place is what a token is sealed for.
func place(installation string) string { return "SessionsTable|GROUP#" + installation + "|TOKEN" }

// Put stores a group's token in place of an earlier one.
func (s *Store) Put(ctx context.Context, installation, token string, author change.Author) error {
	box, err := s.box.Seal(ctx, place(installation), []byte(token))
	if err != nil {
		return fmt.Errorf("seal token of group %s: %w", installation, err)
	}
	item := key(installation)
	item["sealed"] = attr.Bytes(box)
	author.AddTo(item)
	if _, err := s.db.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.table, Item: item}); err != nil {
		return fmt.Errorf("store token of group %s: %w", installation, err)
	}
	return nil
}

// Get answers a group's token, or ErrNone.
func (s *Store) Get(ctx context.Context, installation string) (string, error) {
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: key(installation), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return "", fmt.Errorf("read token of group %s: %w", installation, err)
	}
	if len(out.Item) == 0 {
		return "", ErrNone
	}
	token, err := s.box.Open(ctx, place(installation), attr.Read(out.Item).Bytes("sealed"))
	if errors.Is(err, sealed.ErrUnsealable) {
		return "", ErrNone
	}
	if err != nil {
		return "", fmt.Errorf("open token of group %s: %w", installation, err)
	}
	return string(token), nil
}
