package user

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Store keeps users in OperationsTable. There is one item for each user (pk
// USER#<id>, sk USER), one for each name (pk USERNAME#<name>, sk USERNAME), and one
// for each account at a VCS (pk IDENTITY#<vcs>#<account id>, sk IDENTITY).
type Store struct {
	// DB is the table's client.
	DB *dynamodb.Client
	// Table is the physical name of OperationsTable.
	Table string
}

func (s *Store) table() table.Table { return table.Table{DB: s.DB, Name: s.Table} }

// Create creates a user without memberships. It returns ErrExists if the name is
// taken, and an Invalid fault if the text cannot be a name.
func (s *Store) Create(ctx context.Context, name string, author change.Author) (User, error) {
	if err := validName(name); err != nil {
		return User{}, err
	}
	id := uuid.NewString()
	item := ItemKey(id)
	item[attrID], item[attrName], item[attrCreated] = attr.String(id), attr.String(name), attr.Time(author.At)
	err := s.table().Transact(ctx, s.put(item, author), s.put(reservation(name, id), author))
	if _, taken := table.ConditionFailedAt(err, 1); taken {
		return User{}, ErrExists
	}
	if err != nil {
		return User{}, fmt.Errorf("create user: %w", err)
	}
	return Decode(item)
}

// put returns the write that creates an item.
func (s *Store) put(item attr.Item, author change.Author) table.Write {
	author.AddTo(item)
	return s.table().WritePut(item, table.Absent("pk"))
}

// reservation returns the item that reserves a name for a user.
func reservation(name, id string) attr.Item {
	item := nameKey(name)
	item[attrOwner] = attr.String(id)
	return item
}

// Get reads a user with a strongly consistent read. It returns ErrNotFound if there
// is none.
func (s *Store) Get(ctx context.Context, id string) (User, error) {
	item, err := s.table().Get(ctx, ItemKey(id))
	if err != nil {
		return User{}, fmt.Errorf("read user: %w", err)
	}
	return Decode(item)
}

// ByName returns the user with a name, in upper or lower case. It returns
// ErrNotFound if there is none.
func (s *Store) ByName(ctx context.Context, name string) (User, error) {
	item, err := s.table().Get(ctx, nameKey(name))
	if err != nil {
		return User{}, fmt.Errorf("find user: %w", err)
	}
	if len(item) == 0 {
		return User{}, ErrNotFound
	}
	r := attr.Read(item)
	id := r.String(attrOwner)
	if err := r.Err(); err != nil {
		return User{}, fmt.Errorf("decode user name: %w", err)
	}
	return s.Get(ctx, id)
}

// AddMembership gives the user an operator membership in an installation. The
// statements of the VCS do not matter. If the user has it already, only the author
// changes. It returns ErrNotFound if there is no such user, and an Invalid fault
// for an unknown VCS.
func (s *Store) AddMembership(ctx context.Context, id string, m vcs.Installation, author change.Author) error {
	if err := validVCS(m.VCS); err != nil {
		return err
	}
	return s.update(ctx, join(id, m, author))
}

// RemoveMembership removes an operator membership. A host membership stays. Access
// tokens that were issued before may carry the membership until they end. If there
// is no such membership, only the author changes. It returns ErrNotFound if there
// is no such user, and an Invalid fault for an unknown VCS.
func (s *Store) RemoveMembership(ctx context.Context, id string, m vcs.Installation, author change.Author) error {
	if err := validVCS(m.VCS); err != nil {
		return err
	}
	return s.update(ctx, table.Change(ItemKey(id)).SetAll(author.All()).Subtract(members(m.VCS), idSet(m.ID)).If(table.Exists("pk")))
}

// join returns the change that adds an operator membership to a user who exists.
func join(id string, m vcs.Installation, author change.Author) *table.Edit {
	return table.Change(ItemKey(id)).SetAll(author.All()).Add(members(m.VCS), idSet(m.ID)).If(table.Exists("pk"))
}

func (s *Store) update(ctx context.Context, edit *table.Edit) error {
	err := s.table().Update(ctx, edit)
	if _, missing := table.ConditionFailed(err); missing {
		return ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("update user: %w", err)
	}
	return nil
}

func validVCS(system vcs.VCS) error {
	if !system.Valid() {
		return fault.Invalidf("INVALID_VCS", "%.40q is not a VCS; use github or gitlab", system)
	}
	return nil
}
