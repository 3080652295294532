package grant

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
)

// Store keeps host grants in SessionsTable: pk USER#<user id>, sk TOKEN#<vcs>.
// Each is sealed for its own place in the table.
type Store struct {
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

// Attributes of an item, besides those of the author.
const (
	attrSealed  = "sealed"  // the grant, sealed for its place
	attrVersion = "version" // a random text, new with each grant
)

// attrRefreshing is the end of the lease of a call that refreshes the grant, in Unix
// milliseconds.
const attrRefreshing = "refreshing_until"

// keep is how long the table keeps a grant that is not replaced by a new one.
// A refresh token of GitHub lives six months.
const keep = 180 * 24 * time.Hour

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
func (s *Store) Put(ctx context.Context, of Holder, given Grant, author change.Author) error {
	return s.put(ctx, of, given, author, "")
}

// put writes the grant. If was is not empty, it replaces only the grant of that
// version.
func (s *Store) put(ctx context.Context, of Holder, given Grant, author change.Author, was string) error {
	text, err := json.Marshal(given)
	if err != nil {
		return fmt.Errorf("encode grant: %w", err)
	}
	sealedText, err := s.Box.Seal(ctx, of.place(), text)
	if err != nil {
		return fmt.Errorf("seal grant: %w", err)
	}
	version := uuid.NewString()
	item := of.key()
	item[attrSealed], item[attrVersion], item["ttl"] = attr.Bytes(sealedText), attr.String(version), attr.Time(author.At.Add(keep))
	author.AddTo(item)
	var conditions []table.Condition
	if was != "" {
		// If the response to a write was lost and the write is sent again, it finds
		// its own version.
		conditions = append(conditions, table.In(attrVersion, attr.String(was), attr.String(version)))
	}
	if err := s.table().Put(ctx, item, conditions...); err != nil {
		return fmt.Errorf("write grant: %w", err)
	}
	return nil
}

func (s *Store) table() table.Table { return table.Table{DB: s.DB, Name: s.Table} }

// get reads a grant. It returns ErrNone if there is none that can be opened.
func (s *Store) get(ctx context.Context, of Holder) (stored, error) {
	item, err := s.table().Get(ctx, of.key())
	if err != nil {
		return stored{}, fmt.Errorf("read grant: %w", err)
	}
	if len(item) == 0 {
		return stored{}, ErrNone
	}
	r := attr.Read(item)
	found := stored{version: r.String(attrVersion), sealed: r.Bytes(attrSealed)}
	if r.Has(attrRefreshing) {
		found.refreshing = time.UnixMilli(r.Int(attrRefreshing))
	}
	if err := r.Err(); err != nil {
		return stored{}, fmt.Errorf("decode grant: %w", err)
	}
	text, err := s.Box.Open(ctx, of.place(), found.sealed)
	if errors.Is(err, sealed.ErrUnsealable) {
		return stored{}, ErrNone // sealed for another account, or with a secret that was replaced: a new login helps
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
func (s *Store) sealAgain(ctx context.Context, of Holder, found stored, author change.Author) error {
	aged, err := s.Box.Aged(ctx, found.sealed)
	if err != nil || !aged {
		return err
	}
	text, err := json.Marshal(found.Grant)
	if err != nil {
		return fmt.Errorf("encode grant: %w", err)
	}
	sealedText, err := s.Box.Seal(ctx, of.place(), text)
	if err != nil {
		return fmt.Errorf("seal grant: %w", err)
	}
	author.Principal, author.Credential = change.Server, ""
	return s.update(ctx, table.Change(of.key()).Set(attrSealed, attr.Bytes(sealedText)).SetAll(author.All()).
		If(table.Equal(attrSealed, attr.Bytes(found.sealed))))
}

func (s *Store) update(ctx context.Context, edit *table.Edit) error {
	if err := s.table().Update(ctx, edit); err != nil {
		return fmt.Errorf("write grant: %w", err)
	}
	return nil
}

// report logs a failure that the caller does not see.
func (s *Store) report(ctx context.Context, of Holder, what string, err error) {
	if s.Log != nil {
		s.Log.LogAttrs(ctx, slog.LevelError, what, slog.String("user", of.User), slog.String("vcs", string(of.Account.VCS)), slog.String("error", err.Error()))
	}
}
