package installation

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Store keeps installations in OperationsTable, one item each: pk
// INSTALLATION#<vcs>#<id>, sk INSTALLATION.
type Store struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is the physical name of OperationsTable.
	Table string
}

// SortKey is the sort key of every installation's item. No other item has it.
const SortKey = "INSTALLATION"

// prefix begins the partition key of every installation.
const prefix = SortKey + "#"

// Attributes of an item. Times are Unix seconds.
const (
	attrName       = "name"
	attrCreated    = "created_at"
	attrState      = "state"
	attrTargetType = "target_type"
	attrSeen       = "seen"      // the version of the state
	attrSeenName   = "seen_name" // the version of the name
)

func key(i vcs.Installation) attr.Item {
	return attr.Item{"pk": attr.String(prefix + string(i.VCS) + "#" + string(i.ID)), "sk": attr.String(SortKey)}
}

// parseKey returns the installation of a partition key, and false for the key of
// another item.
func parseKey(pk string) (vcs.Installation, bool) {
	rest, mine := strings.CutPrefix(pk, prefix)
	system, id, parted := strings.Cut(rest, "#")
	return vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(id)}, mine && parted
}

func (s Store) table() table.Table { return table.Table{DB: s.DB, Name: s.Table} }

// Get reads an installation with a strongly consistent read. It returns
// fault.ErrNotFound if the installation is not known.
func (s Store) Get(ctx context.Context, i vcs.Installation) (Installation, error) {
	if err := access.CheckInstallation(i); err != nil {
		return Installation{}, err
	}
	item, err := s.table().Get(ctx, key(i))
	if err != nil {
		return Installation{}, fmt.Errorf("read installation: %w", err)
	}
	if item == nil {
		return Installation{}, fault.ErrNotFound
	}
	return Decode(item)
}

// Decode reads the item of an installation. It takes VCS and id from the item's
// key.
func Decode(item attr.Item) (Installation, error) {
	r := attr.Read(item)
	pk := r.String("pk")
	key, ok := parseKey(pk)
	i := Installation{
		VCS: key.VCS, ID: key.ID, Name: r.String(attrName), CreatedAt: r.Time(attrCreated),
		State: State(r.String(attrState)), TargetType: r.String(attrTargetType),
	}
	if err := r.Err(); err != nil {
		return Installation{}, fmt.Errorf("decode installation %s: %w", key, err)
	}
	if !ok {
		return Installation{}, fmt.Errorf("decode installation: %q is not the key of an installation", pk)
	}
	return i, nil
}

// Outcome says what Save did.
type Outcome int

// The outcomes.
const (
	// Unchanged: the installation was known with this name. Nothing was written.
	Unchanged Outcome = iota
	// Created: the installation was not known.
	Created
	// Renamed: the installation was known with another name.
	Renamed
)

// Save adds an installation, or renames a known one, in one write in the name of
// author. It ignores CreatedAt: a new installation gets author.At.
func (s Store) Save(ctx context.Context, author change.Author, i Installation) (Outcome, error) {
	if err := i.valid(); err != nil {
		return Unchanged, err
	}
	old, err := s.table().UpdateReturningOld(ctx, table.Change(key(i.Key())).
		Set(attrName, attr.String(i.Name)).SetFirst(attrCreated, attr.Time(author.At)).SetAll(author.All()).
		If(table.Differs(attrName, attr.String(i.Name))).KeepOld())
	same, failed := table.ConditionFailed(err)
	switch {
	case failed:
		return before(same, author), nil
	case err != nil:
		return Unchanged, fmt.Errorf("write installation: %w", err)
	case old[attrName] == nil:
		return Created, nil
	}
	return Renamed, nil
}

// before returns what a request did to an item that has the wanted name already.
// The outcome is Unchanged, unless an earlier attempt of the same request wrote the
// name and its response was lost. If an installation was created and renamed within
// one second, before returns Created for the rename.
func before(item attr.Item, author change.Author) Outcome {
	r := attr.Read(item)
	switch {
	case r.String(change.AttrRequest) != author.Request:
		return Unchanged
	case r.Time(attrCreated).Unix() == author.At.Unix():
		return Created
	}
	return Renamed
}
