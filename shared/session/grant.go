package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/attr"
	"github.com/opsplane/opsplane/shared/change"
	"github.com/opsplane/opsplane/shared/sealed"
)

// Grant is what a host gave us to act for a person there.
type Grant struct {
	// Access is the token for requests.
	Access string `json:"access"`
	// Refresh is exchanged for the next grant; empty if the host gives none.
	Refresh string `json:"refresh,omitempty"`
	// ExpiresAt is when Access ends; zero if it does not.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// String hides the tokens from logs.
func (Grant) String() string { return "(grant)" }

// slack is how long before its end a grant is no longer used: it has to last
// for the requests that it is fetched for.
const slack = 2 * time.Minute

func (g Grant) freshAt(now time.Time) bool {
	return g.ExpiresAt.IsZero() || now.Add(slack).Before(g.ExpiresAt)
}

// grantLife is after how long without a new grant the table forgets one. A
// refresh token of GitHub's lives six months.
const grantLife = 180 * 24 * time.Hour

var (
	// ErrNoGrant says that the person has to log in at the host again: it never
	// did, its grant has ended, or the host took it back.
	ErrNoGrant = errors.New("no valid grant of the host: log in again")
	// ErrRefused is what a Refresher answers where the host says that the
	// refresh token is not, or no longer, good.
	ErrRefused = errors.New("the host refused the refresh token")
)

// Refresher exchanges a refresh token at a host. It answers ErrRefused, wrapped
// or not, for one that the host refuses.
type Refresher func(ctx context.Context, refresh string) (Grant, error)

// Grants keeps hosts' grants in SessionsTable: pk USER#<user id>, sk
// TOKEN#<vcs>. Each is sealed for its own place in the table.
type Grants struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is the physical name of SessionsTable.
	Table string
	// Box seals for storage.
	Box *sealed.Box
}

func grantKey(user, vcs string) attr.Item {
	return attr.Item{"pk": attr.String("USER#" + user), "sk": attr.String("TOKEN#" + vcs)}
}

// place binds a sealed grant to its user and VCS.
func place(user, vcs string) string { return "SessionsTable|USER#" + user + "|TOKEN#" + vcs }

// Put keeps a grant in place of an earlier one.
func (g *Grants) Put(ctx context.Context, user, vcs string, grant Grant, author change.Author) error {
	return g.put(ctx, user, vcs, grant, author, nil)
}

// put writes the grant; onto exactly the sealed text was, if that is given.
func (g *Grants) put(ctx context.Context, user, vcs string, grant Grant, author change.Author, was []byte) error {
	text, err := json.Marshal(grant)
	if err != nil {
		return fmt.Errorf("encode grant: %w", err)
	}
	sealedText, err := g.Box.Seal(ctx, place(user, vcs), text)
	if err != nil {
		return fmt.Errorf("seal grant: %w", err)
	}
	item := grantKey(user, vcs)
	item["sealed"], item["ttl"] = attr.Bytes(sealedText), attr.Time(author.At.Add(grantLife))
	author.AddTo(item)
	in := &dynamodb.PutItemInput{TableName: &g.Table, Item: item}
	if was != nil {
		in.ConditionExpression = aws.String("sealed = :was OR ch_req = :req")
		in.ExpressionAttributeValues = attr.Item{":was": attr.Bytes(was), ":req": attr.String(author.Request)}
	}
	if _, err := g.DB.PutItem(ctx, in); err != nil {
		return fmt.Errorf("write grant: %w", err)
	}
	return nil
}

// get reads a grant and its sealed text; ErrNoGrant if there is none that can
// be opened.
func (g *Grants) get(ctx context.Context, user, vcs string) (Grant, []byte, error) {
	out, err := g.DB.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &g.Table, Key: grantKey(user, vcs), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return Grant{}, nil, fmt.Errorf("read grant: %w", err)
	}
	if len(out.Item) == 0 {
		return Grant{}, nil, ErrNoGrant
	}
	r := attr.Read(out.Item)
	sealedText := r.Bytes("sealed")
	if err := r.Err(); err != nil {
		return Grant{}, nil, fmt.Errorf("decode grant: %w", err)
	}
	text, err := g.Box.Open(ctx, place(user, vcs), sealedText)
	if errors.Is(err, sealed.ErrUnsealable) {
		return Grant{}, nil, ErrNoGrant // the server's secret was replaced: a new login mends it
	}
	if err != nil {
		return Grant{}, nil, err
	}
	var grant Grant
	if err := json.Unmarshal(text, &grant); err != nil {
		return Grant{}, nil, fmt.Errorf("decode grant: %w", err)
	}
	return grant, sealedText, nil
}

// Token answers an access token of the user at a VCS that is good for some
// minutes, and refreshes the grant for it where need be. ErrNoGrant if the user
// has to log in again.
//
// Hosts take a refresh token once. Of two calls that refresh at the same time,
// one is refused by the host, or finds the other's grant when it writes: it
// goes on with that one.
func (g *Grants) Token(ctx context.Context, user, vcs string, refresh Refresher, author change.Author) (string, error) {
	grant, was, err := g.get(ctx, user, vcs)
	if err != nil {
		return "", err
	}
	if grant.freshAt(author.At) {
		return grant.Access, nil
	}
	if grant.Refresh == "" {
		return "", ErrNoGrant
	}
	next, err := refresh(ctx, grant.Refresh)
	if errors.Is(err, ErrRefused) {
		return g.another(ctx, user, vcs, author.At)
	}
	if err != nil {
		return "", fmt.Errorf("refresh grant: %w", err)
	}
	err = g.put(ctx, user, vcs, next, author, was)
	var changed *types.ConditionalCheckFailedException
	if errors.As(err, &changed) {
		return g.another(ctx, user, vcs, author.At)
	}
	if err != nil {
		return "", err
	}
	return next.Access, nil
}

// another answers the token that somebody else has stored meanwhile.
func (g *Grants) another(ctx context.Context, user, vcs string, now time.Time) (string, error) {
	grant, _, err := g.get(ctx, user, vcs)
	if err != nil {
		return "", err
	}
	if !grant.freshAt(now) {
		return "", ErrNoGrant
	}
	return grant.Access, nil
}
