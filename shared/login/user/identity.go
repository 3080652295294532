package user

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// ErrLinked says that an account at a VCS belongs to another user.
var ErrLinked = errors.New("the account belongs to another user")

// identityKey is the key of the item that links an account at a VCS to a user. The
// account's id decides, never its login: a login can be changed, and then another
// account can take it.
func identityKey(a vcs.Account) attr.Item {
	return attr.Item{"pk": attr.String("IDENTITY#" + string(a.VCS) + "#" + string(a.ID)), "sk": attr.String("IDENTITY")}
}

// owned returns the item that links an account to a user.
func owned(a vcs.Account, id string) attr.Item {
	item := identityKey(a)
	item[attrOwner] = attr.String(id)
	return item
}

// ownedBy holds for an item that names the user, and where there is no item.
func ownedBy(id string) table.Condition {
	return table.AbsentOr("pk", table.Equal(attrOwner, attr.String(id)))
}

// has holds for the item of a user who has the account.
func has(a vcs.Account) table.Condition {
	return table.Equal(account(a.VCS)+".id", attr.String(string(a.ID)))
}

// signInAttempts is how often a login tries again when another login of the same
// account is first.
const signInAttempts = 3

// SignIn returns the user whose account at the VCS this is. If no user has the
// account, it creates one. It stores the account's present login and picture. The
// author is the user itself.
func (s *Store) SignIn(ctx context.Context, system vcs.VCS, identity Identity, author change.Author) (User, error) {
	if err := validVCS(system); err != nil {
		return User{}, err
	}
	if identity.ID == "" {
		return User{}, errors.New("sign in: the account has no id")
	}
	for range signInAttempts {
		u, err := s.byIdentity(ctx, vcs.Account{VCS: system, ID: identity.ID})
		if errors.Is(err, ErrNotFound) {
			u, err = s.join(ctx, system, identity, author)
		}
		if errors.Is(err, ErrLinked) {
			continue
		}
		if err != nil || u.Identities[system] == identity {
			return u, err
		}
		author.Principal = u.ID
		err = s.describe(ctx, u.ID, system, identity, author)
		if errors.Is(err, errUntied) {
			continue
		}
		if err != nil {
			return User{}, err
		}
		u.Identities[system] = identity
		return u, nil
	}
	return User{}, fault.Busyf("CONTENDED", "too many logins of one account at the same time: try again in a moment")
}

// errUntied says that an account does not belong, or no longer belongs, to the
// user.
var errUntied = errors.New("the account is not the user's")

// describe stores the present login and picture of the user's account. It returns
// errUntied if an operator has linked the user to another account in the meantime.
func (s *Store) describe(ctx context.Context, id string, system vcs.VCS, identity Identity, author change.Author) error {
	err := s.table().Update(ctx, table.Change(ItemKey(id)).Set(account(system), attr.Map(identity.value())).SetAll(author.All()).
		If(has(vcs.Account{VCS: system, ID: identity.ID})))
	if _, untied := table.ConditionFailed(err); untied {
		return errUntied
	}
	if err != nil {
		return fmt.Errorf("describe account: %w", err)
	}
	return nil
}

// byIdentity returns the user of an account, or ErrNotFound if no user has it.
func (s *Store) byIdentity(ctx context.Context, a vcs.Account) (User, error) {
	item, err := s.table().Get(ctx, identityKey(a))
	if err != nil {
		return User{}, fmt.Errorf("find account: %w", err)
	}
	if len(item) == 0 {
		return User{}, ErrNotFound
	}
	r := attr.Read(item)
	id := r.String(attrOwner)
	if err := r.Err(); err != nil {
		return User{}, fmt.Errorf("decode account: %w", err)
	}
	return s.Get(ctx, id)
}

// join creates a user for an account. It returns ErrLinked if another user has the
// account in the meantime.
func (s *Store) join(ctx context.Context, system vcs.VCS, identity Identity, author change.Author) (User, error) {
	id, name := uuid.NewString(), string(system)+":"+string(identity.ID)
	u, err := s.create(ctx, id, name, system, identity, author)
	if errors.Is(err, ErrExists) {
		// An operator has given the account's first user another account. That user
		// keeps the name.
		u, err = s.create(ctx, id, name+":"+id[:8], system, identity, author)
	}
	return u, err
}

func (s *Store) create(ctx context.Context, id, name string, system vcs.VCS, identity Identity, author change.Author) (User, error) {
	author.Principal = id
	item := ItemKey(id)
	item[attrID], item[attrName], item[attrCreated] = attr.String(id), attr.String(name), attr.Time(author.At)
	item[account(system)] = attr.Map(identity.value())
	err := s.table().Transact(ctx, s.put(item, author), s.put(reservation(name, id), author), s.put(owned(vcs.Account{VCS: system, ID: identity.ID}, id), author))
	if _, linked := table.ConditionFailedAt(err, 2); linked {
		return User{}, ErrLinked
	}
	if _, exists := table.ConditionFailedAt(err, 1); exists {
		return User{}, ErrExists
	}
	if err != nil {
		return User{}, fmt.Errorf("create user: %w", err)
	}
	return Decode(item)
}

// PutIdentity links an account at a VCS to the user, in place of an earlier account
// there. From then on, a login with the account is a login of this user.
// PutIdentity also removes what the VCS stated about the earlier account. The
// sessions and grants of that account stop working, because they are valid only
// with their account. It returns ErrNotFound if there is no such user, ErrLinked if
// the account belongs to another user, and an Invalid fault for an unknown VCS.
func (s *Store) PutIdentity(ctx context.Context, id string, system vcs.VCS, identity Identity, author change.Author) error {
	if err := validVCS(system); err != nil {
		return err
	}
	u, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	t := s.table()
	edit := table.Change(ItemKey(id)).Set(account(system), attr.Map(identity.value())).SetAll(author.All())
	before, had := u.Identities[system]
	if had {
		edit.If(has(vcs.Account{VCS: system, ID: before.ID}))
	} else {
		edit.If(table.Exists("pk"), table.Absent(account(system)))
	}
	if before.ID != identity.ID {
		edit.Remove(hosted(system), askedAt(system))
	}
	link := owned(vcs.Account{VCS: system, ID: identity.ID}, id)
	author.AddTo(link)
	writes := []table.Write{t.WriteUpdate(edit), t.WritePut(link, ownedBy(id))}
	if had && before.ID != identity.ID {
		writes = append(writes, t.WriteDelete(identityKey(vcs.Account{VCS: system, ID: before.ID})))
	}
	err = t.Transact(ctx, writes...)
	if _, linked := table.ConditionFailedAt(err, 1); linked {
		return ErrLinked
	}
	if err != nil {
		return fmt.Errorf("link account: %w", err)
	}
	return nil
}
