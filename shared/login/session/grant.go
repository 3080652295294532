package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Grant holds the tokens with which a host lets us act for a person there.
type Grant struct {
	// Access is the token for requests.
	Access string `json:"access"`
	// Refresh is exchanged for the next grant. It is empty if the host gives none.
	Refresh string `json:"refresh,omitempty"`
	// ExpiresAt is the time at which Access ends. It is zero if Access does not
	// end.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// String hides the tokens from logs.
func (Grant) String() string { return "(grant)" }

// slack is how long before its end a grant is no longer used, because it must last
// for the caller's requests.
const slack = 2 * time.Minute

func (g Grant) freshAt(now time.Time) bool {
	return g.ExpiresAt.IsZero() || now.Add(slack).Before(g.ExpiresAt)
}

// grantLife is how long the table keeps a grant that is not replaced by a new one.
// A refresh token of GitHub lives six months.
const grantLife = 180 * 24 * time.Hour

var (
	// ErrNoGrant says that the person must log in at the host again: the person
	// never did, did so with another account, the grant has ended, or the host
	// revoked it.
	ErrNoGrant = errors.New("no valid grant of the host: log in again")
	// ErrRefused is the error of a Refresher if the host says that the refresh
	// token is not valid, or no longer valid.
	ErrRefused = errors.New("the host refused the refresh token")
	// ErrRefreshing says that another call was refreshing the grant, and had not
	// ended when this call stopped waiting. A later call may succeed.
	ErrRefreshing = errors.New("another call refreshes the grant")
)

// Refresher exchanges a refresh token at a host. It returns ErrRefused, wrapped or
// not, if the host refuses the token.
type Refresher func(ctx context.Context, refresh string) (Grant, error)

// Holder says who has a grant or a session: the user, and the user's account at a
// VCS.
type Holder struct {
	// User is the id of the user.
	User string
	// Account is the user's account at the VCS. The grant of an account that the user
	// had before cannot be opened with this one.
	Account vcs.Account
}

// place returns the text that binds a sealed grant to its holder.
func (h Holder) place() string {
	return "SessionsTable|USER#" + h.User + "|TOKEN#" + string(h.Account.VCS) + "|" + string(h.Account.ID)
}

func (h Holder) key() attr.Item {
	return attr.Item{"pk": attr.String("USER#" + h.User), "sk": attr.String("TOKEN#" + string(h.Account.VCS))}
}

// Grants keeps host grants in SessionsTable: pk USER#<user id>, sk TOKEN#<vcs>.
// Each is sealed for its own place in the table.
type Grants struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is the physical name of SessionsTable.
	Table string
	// Box seals grants before they are stored.
	Box *sealed.Box
	// Log gets failures that do not stop the caller's request. Nil discards them.
	Log *slog.Logger
	// Patience is how long a call waits for another call that refreshes the same
	// grant. Zero means three seconds.
	Patience time.Duration
}

// attrRefreshing is the end of the lease of a call that refreshes the grant, in Unix
// milliseconds.
const attrRefreshing = "refreshing_until"

// stored is a grant as the table has it.
type stored struct {
	Grant
	// version is a new random text for each grant. It stays the same when the same
	// grant is sealed again.
	version string
	sealed  []byte
	// refreshing is the end of the lease of a call that refreshes the grant.
	refreshing time.Time
}

// Put stores a grant and replaces an earlier one.
func (g *Grants) Put(ctx context.Context, of Holder, grant Grant, author change.Author) error {
	return g.put(ctx, of, grant, author, "")
}

// put writes the grant. If was is not empty, it replaces only the grant of that
// version.
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
	var conditions []table.Condition
	if was != "" {
		// If the response to a write was lost and the write is sent again, it finds
		// its own version.
		conditions = append(conditions, table.In("version", attr.String(was), attr.String(version)))
	}
	if err := g.table().Put(ctx, item, conditions...); err != nil {
		return fmt.Errorf("write grant: %w", err)
	}
	return nil
}

func (g *Grants) table() table.Table { return table.Table{DB: g.DB, Name: g.Table} }

// get reads a grant. It returns ErrNoGrant if there is none that can be opened.
func (g *Grants) get(ctx context.Context, of Holder) (stored, error) {
	item, err := g.table().Get(ctx, of.key())
	if err != nil {
		return stored{}, fmt.Errorf("read grant: %w", err)
	}
	if len(item) == 0 {
		return stored{}, ErrNoGrant
	}
	r := attr.Read(item)
	found := stored{version: r.String("version"), sealed: r.Bytes("sealed")}
	if r.Has(attrRefreshing) {
		found.refreshing = time.UnixMilli(r.Int(attrRefreshing))
	}
	if err := r.Err(); err != nil {
		return stored{}, fmt.Errorf("decode grant: %w", err)
	}
	text, err := g.Box.Open(ctx, of.place(), found.sealed)
	if errors.Is(err, sealed.ErrUnsealable) {
		return stored{}, ErrNoGrant // sealed for another account, or with a secret that was replaced: a new login helps
	}
	if err != nil {
		return stored{}, err
	}
	if err := json.Unmarshal(text, &found.Grant); err != nil {
		return stored{}, fmt.Errorf("decode grant: %w", err)
	}
	return found, nil
}

// sealAgain seals a grant with the newest value of the server's secret, if it is
// sealed with an older one. Then the older value can be dropped. The grant and its
// version stay the same.
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
	return g.update(ctx, table.Change(of.key()).Set("sealed", attr.Bytes(sealedText)).SetAll(author.All()).
		If(table.Equal("sealed", attr.Bytes(s.sealed))))
}

func (g *Grants) update(ctx context.Context, edit *table.Edit) error {
	if err := g.table().Update(ctx, edit); err != nil {
		return fmt.Errorf("write grant: %w", err)
	}
	return nil
}

// report logs a failure that the caller does not see.
func (g *Grants) report(ctx context.Context, of Holder, what string, err error) {
	if g.Log != nil {
		g.Log.LogAttrs(ctx, slog.LevelError, what, slog.String("user", of.User), slog.String("vcs", string(of.Account.VCS)), slog.String("error", err.Error()))
	}
}
