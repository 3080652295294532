package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/storage/attr"
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
	// did, it did so with another account, its grant has ended, or the host took it
	// back.
	ErrNoGrant = errors.New("no valid grant of the host: log in again")
	// ErrRefused is what a Refresher answers where the host says that the
	// refresh token is not, or no longer, good.
	ErrRefused = errors.New("the host refused the refresh token")
	// ErrRefreshing says that another call refreshes the grant and has not come to
	// an end in all the time that this one waited: a later one may succeed.
	ErrRefreshing = errors.New("another call refreshes the grant")
)

// Refresher exchanges a refresh token at a host. It answers ErrRefused, wrapped
// or not, for one that the host refuses.
type Refresher func(ctx context.Context, refresh string) (Grant, error)

// Holder is whose grant or session it is, and of which account at which VCS.
type Holder struct {
	// User is the id of the user, VCS "github" or "gitlab".
	User, VCS string
	// Account is the id of the user's account there. A grant of another account
	// that the user had before opens nothing.
	Account string
}

// place binds a sealed grant to its holder.
func (h Holder) place() string {
	return "SessionsTable|USER#" + h.User + "|TOKEN#" + h.VCS + "|" + h.Account
}

func (h Holder) key() attr.Item {
	return attr.Item{"pk": attr.String("USER#" + h.User), "sk": attr.String("TOKEN#" + h.VCS)}
}

// Grants keeps hosts' grants in SessionsTable: pk USER#<user id>, sk
// TOKEN#<vcs>. Each is sealed for its own place in the table.
type Grants struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is the physical name of SessionsTable.
	Table string
	// Box seals for storage.
	Box *sealed.Box
	// Log gets what goes wrong where the caller is served all the same; nil
	// discards it.
	Log *slog.Logger
	// Patience is how long a call waits for another one that refreshes the same
	// grant; zero is three seconds.
	Patience time.Duration
}

// stored is a grant as the table has it.
type stored struct {
	Grant
	// version is drawn anew with each grant, and stays when the same one is sealed
	// again.
	version string
	sealed  []byte
	// refreshing is until when a call has the grant for itself, to refresh it.
	refreshing time.Time
}

// Put keeps a grant in place of an earlier one.
func (g *Grants) Put(ctx context.Context, of Holder, grant Grant, author change.Author) error {
	return g.put(ctx, of, grant, author, "")
}

// put writes the grant; onto exactly the version was, if that is given.
func (g *Grants) put(ctx context.Context, of Holder, grant Grant, author change.Author, was string) error {
	text, err := json.Marshal(grant)
	if err != nil {
		return fmt.Errorf("encode grant: %w", err)
	}
	sealedText, err := g.Box.Seal(ctx, of.place(), text)
	if err != nil {
		return fmt.Errorf("seal grant: %w", err)
	}
	version := uuid.NewString()
	item := of.key()
	item["sealed"], item["version"], item["ttl"] = attr.Bytes(sealedText), attr.String(version), attr.Time(author.At.Add(grantLife))
	author.AddTo(item)
	in := &dynamodb.PutItemInput{TableName: &g.Table, Item: item}
	if was != "" {
		// Its own version lets a write recognise itself, if its answer was lost and it is sent again.
		in.ConditionExpression = aws.String("version = :was OR version = :version")
		in.ExpressionAttributeValues = attr.Item{":was": attr.String(was), ":version": attr.String(version)}
	}
	if _, err := g.DB.PutItem(ctx, in); err != nil {
		return fmt.Errorf("write grant: %w", err)
	}
	return nil
}

// get reads a grant; ErrNoGrant if there is none that can be opened.
func (g *Grants) get(ctx context.Context, of Holder) (stored, error) {
	out, err := g.DB.GetItem(ctx, &dynamodb.GetItemInput{TableName: &g.Table, Key: of.key(), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return stored{}, fmt.Errorf("read grant: %w", err)
	}
	if len(out.Item) == 0 {
		return stored{}, ErrNoGrant
	}
	r := attr.Read(out.Item)
	found := stored{version: r.String("version"), sealed: r.Bytes("sealed")}
	if r.Has("refreshing_until") {
		found.refreshing = time.UnixMilli(r.Int("refreshing_until"))
	}
	if err := r.Err(); err != nil {
		return stored{}, fmt.Errorf("decode grant: %w", err)
	}
	text, err := g.Box.Open(ctx, of.place(), found.sealed)
	if errors.Is(err, sealed.ErrUnsealable) {
		return stored{}, ErrNoGrant // of another account, or the server's secret was replaced: a new login mends it
	}
	if err != nil {
		return stored{}, err
	}
	if err := json.Unmarshal(text, &found.Grant); err != nil {
		return stored{}, fmt.Errorf("decode grant: %w", err)
	}
	return found, nil
}

// sealAgain seals a grant with the newest word of the server's secret, if an
// older one has sealed it: that word can then be dropped. The grant stays the
// same, and so does its version.
func (g *Grants) sealAgain(ctx context.Context, of Holder, s stored, author change.Author) error {
	aged, err := g.Box.Aged(ctx, s.sealed)
	if err != nil || !aged {
		return err
	}
	text, err := json.Marshal(s.Grant)
	if err != nil {
		return fmt.Errorf("encode grant: %w", err)
	}
	sealedText, err := g.Box.Seal(ctx, of.place(), text)
	if err != nil {
		return fmt.Errorf("seal grant: %w", err)
	}
	author.Principal, author.Credential = change.Server, ""
	values := attr.Item{":sealed": attr.Bytes(sealedText), ":was": attr.Bytes(s.sealed)}
	return g.update(ctx, of, "SET sealed = :sealed, "+author.Set(values), "sealed = :was", values)
}

func (g *Grants) update(ctx context.Context, of Holder, expression, condition string, values attr.Item) error {
	_, err := g.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &g.Table, Key: of.key(), UpdateExpression: &expression,
		ConditionExpression: &condition, ExpressionAttributeValues: values,
	})
	if err != nil {
		return fmt.Errorf("write grant: %w", err)
	}
	return nil
}

// report logs a failure that its caller is not told of.
func (g *Grants) report(ctx context.Context, of Holder, what string, err error) {
	if g.Log != nil {
		g.Log.LogAttrs(ctx, slog.LevelError, what, slog.String("user", of.User), slog.String("vcs", of.VCS), slog.String("error", err.Error()))
	}
}
