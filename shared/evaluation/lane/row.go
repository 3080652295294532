package lane

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Row is what evaluations remember of a pull request or of a repository.
type Row struct {
	// Body is theirs. It is nil if nothing is remembered.
	Body json.RawMessage
	// Version is 0 if there is no row. Each write adds 1.
	Version int64
	// ExpiresAt is when the row is removed. It is zero if it stays.
	ExpiresAt time.Time
	// Check is the time of the check that WriteCheck has planned; zero if there is none.
	// Only the row of a repository has it. A removal finds the check by it.
	Check time.Time
}

// MaxRow is the largest Body of a row or of an entry, compressed, in bytes. An item has
// at most 400 KB ("Quotas", AWS documentation).
const MaxRow = 350_000

// Pull returns what is remembered of a pull request, strongly consistent.
func (s Store) Pull(ctx context.Context, p vcs.PullRequest) (Row, error) {
	return s.row(ctx, p.Repository, pullSort(p.Number))
}

// WritePull returns the write that replaces what is remembered of a pull request. It
// cancels the transaction if the row was written since it was read. row has the Version
// that was read.
func (s Store) WritePull(p vcs.PullRequest, row Row) (table.Write, error) {
	return s.writeRow(p.Repository, pullSort(p.Number), row)
}

// State returns what is remembered of a repository, strongly consistent.
func (s Store) State(ctx context.Context, r vcs.Repository) (Row, error) {
	return s.row(ctx, r, sortState)
}

// WriteState returns the write that replaces what is remembered of a repository, as
// WritePull does.
func (s Store) WriteState(r vcs.Repository, row Row) (table.Write, error) {
	return s.writeRow(r, sortState, row)
}

func pullSort(number int64) string { return fmt.Sprintf("%s%d", sortPull, number) }

// row reads a row. What another installation remembers, which had the repository
// before, counts for its Version only.
func (s Store) row(ctx context.Context, r vcs.Repository, sort string) (Row, error) {
	item, err := s.table().Get(ctx, key(r, sort))
	if err != nil {
		return Row{}, fmt.Errorf("read %s of %s: %w", sort, r, err)
	}
	if item == nil {
		return Row{}, nil
	}
	read := attr.Read(item)
	found := Row{Version: read.Int(attrVersion)}
	packed := read.Bytes(attrBody)
	expires, check := read.Time(attrTTL), readMillis(read, attrCheck)
	if err := read.Err(); err != nil {
		return Row{}, fmt.Errorf("decode %s of %s: %w", sort, r, err)
	}
	if !mine(r, item) {
		return found, nil
	}
	found.ExpiresAt, found.Check = expires, check
	if err := unpack(packed, &found.Body); err != nil {
		return Row{}, fmt.Errorf("read %s of %s: %w", sort, r, err)
	}
	return found, nil
}

func (s Store) writeRow(r vcs.Repository, sort string, row Row) (table.Write, error) {
	packed, err := packRow(row.Body)
	if err != nil {
		return table.Write{}, fmt.Errorf("%s of %s: %w", sort, r, err)
	}
	item := key(r, sort)
	item[attrInstallation] = attr.String(string(r.Installation.ID))
	item[attrBody], item[attrVersion] = attr.Bytes(packed), attr.Int(row.Version+1)
	if !row.ExpiresAt.IsZero() {
		item[attrTTL] = attr.Time(row.ExpiresAt)
	}
	if !row.Check.IsZero() {
		item[attrCheck] = millis(row.Check)
	}
	if row.Version == 0 {
		return s.table().WritePut(item, table.Absent("pk")), nil
	}
	return s.table().WritePut(item, table.Equal(attrVersion, attr.Int(row.Version))), nil
}

func packRow(body json.RawMessage) ([]byte, error) {
	packed, err := pack(body)
	if err != nil {
		return nil, err
	}
	if len(packed) > MaxRow {
		return nil, fmt.Errorf("it has %d bytes, compressed; at most %d are stored", len(packed), MaxRow)
	}
	return packed, nil
}
