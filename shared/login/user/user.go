// Package user holds the people and machine accounts that own API keys, and the
// installations that each may act on. Its invariant: a user's name is unique among
// users. Upper and lower case count as the same.
package user

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// User is a person or a machine account.
type User struct {
	// ID is a lower-case UUID.
	ID string
	// Name is the name that operators use for the user: 1 to MaxName letters,
	// digits, or one of "._-", starting with a letter or digit. A user that a login
	// has created is named by its account, such as "github:583231". No other name
	// has a colon. The account's id never changes, but its login can.
	Name string
	// CreatedAt is the time at which the user was created, in whole seconds.
	CreatedAt time.Time
	// Memberships are the user's operator memberships: the installations that
	// operators let the user act on, sorted. They stay until an operator removes
	// them.
	Memberships []vcs.Installation
	// Hosted are the user's host memberships by VCS: the installations that the VCS
	// states.
	Hosted map[vcs.VCS]Hosted
	// Identities are the user's accounts at VCSs, by VCS.
	Identities map[vcs.VCS]Identity
}

// Identity is a user's account at a VCS.
type Identity struct {
	// ID is the account's id there. It never changes.
	ID vcs.ID
	// Login is the account's name there. It may change.
	Login string
	// AvatarURL is the address of the account's picture. It may be empty.
	AvatarURL string
}

// MaxName is the maximum length of a user's name, in bytes.
const MaxName = 64

// The errors of the store that are not faults.
var (
	// ErrNotFound says that there is no such user.
	ErrNotFound = errors.New("no such user")
	// ErrExists says that another user has the name.
	ErrExists = errors.New("a user of this name exists")
)

// Login returns the user's identity at a VCS. A user that an operator created and
// gave a membership at the VCS has its own name as the login there. Login returns
// false if the user has neither an account nor a membership at the VCS.
func (u User) Login(system vcs.VCS) (Identity, bool) {
	if identity, ok := u.Identities[system]; ok {
		return identity, true
	}
	member := slices.ContainsFunc(u.Memberships, func(m vcs.Installation) bool { return m.VCS == system })
	return Identity{Login: u.Name}, member
}

// VCSs returns the VCSs at which the user has an identity, in the order of vcs.All.
// It is never nil.
func (u User) VCSs() []vcs.VCS {
	known := []vcs.VCS{}
	for _, system := range vcs.All() {
		if _, ok := u.Login(system); ok {
			known = append(known, system)
		}
	}
	return known
}

// Hosted holds a VCS's last statement about a user's installations.
type Hosted struct {
	// Installations are ids, sorted.
	Installations []vcs.ID
	// AskedAt is the time at which the VCS was asked, in whole milliseconds.
	AskedAt time.Time
}

// How long a VCS's statement is valid. Listing the installations asks the VCS
// again, and a console does this at every start.
const (
	// SessionLapse is for sessions.
	SessionLapse = 12 * time.Hour
	// KeyLapse is for API keys, which also work while their owner is away.
	KeyLapse = 7 * 24 * time.Hour
)

// Admits reports whether a credential of the user is still valid. A session ends
// when the account that it was made with no longer belongs to the user.
func (u User) Admits(c access.Caller) bool {
	return c.Kind != access.KindSession || !c.Account.IsZero() && u.Identities[c.Account.VCS].ID == c.Account.ID
}

// MembershipsFor returns the installations that the user may act on with a
// credential: operator memberships, and host memberships whose statement is not too
// old. They are sorted and without duplicates. There are none if the user does not
// admit the credential.
func (u User) MembershipsFor(c access.Caller, now time.Time) []vcs.Installation {
	if !u.Admits(c) {
		return nil
	}
	all := slices.Clone(u.Memberships)
	for system := range u.Hosted {
		said, _ := u.HostedFor(c, system, now)
		for _, id := range said.Installations {
			all = append(all, vcs.Installation{VCS: system, ID: id})
		}
	}
	slices.SortFunc(all, func(a, b vcs.Installation) int {
		return cmp.Or(cmp.Compare(a.VCS, b.VCS), cmp.Compare(a.ID, b.ID))
	})
	return slices.Compact(all)
}

// HostedFor returns a VCS's statement if it is valid for a credential. The user
// must admit the credential. It returns false if there is no statement, or if it is
// too old.
func (u User) HostedFor(c access.Caller, system vcs.VCS, now time.Time) (Hosted, bool) {
	lapse := KeyLapse
	if c.Kind == access.KindSession {
		lapse = SessionLapse
	}
	said, ok := u.Hosted[system]
	if !ok || now.Sub(said.AskedAt) >= lapse {
		return Hosted{}, false
	}
	return said, true
}

// validName returns an Invalid fault if the text cannot be a name.
func validName(name string) error {
	const first = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	bad := func(r rune) bool { return !strings.ContainsRune(first+"._-", r) }
	if name == "" || len(name) > MaxName || !strings.ContainsRune(first, rune(name[0])) || strings.ContainsFunc(name, bad) {
		return fault.Invalidf("INVALID_USER_NAME",
			"%.80q cannot be a user's name: use 1 to %d letters, digits and the characters . _ -, starting with a letter or digit", name, MaxName)
	}
	return nil
}

// ItemKey is the key of a user's item in OperationsTable.
func ItemKey(id string) attr.Item {
	return attr.Item{"pk": attr.String(SortKey + "#" + id), "sk": attr.String(SortKey)}
}

// nameKey is the key of the item that reserves a name.
func nameKey(name string) attr.Item {
	return attr.Item{"pk": attr.String("USERNAME#" + strings.ToLower(name)), "sk": attr.String("USERNAME")}
}

// members returns the name of the attribute that holds the ids of a user's operator
// memberships at a VCS. Each VCS has its own set. So one call can add or remove an
// id without reading the item first.
func members(system vcs.VCS) string { return "member_" + string(system) }

// hosted returns the name of the attribute that holds the ids of a user's
// installations as the VCS last stated them. askedAt returns the name of the
// attribute that holds the time of the question, in Unix milliseconds.
func hosted(system vcs.VCS) string  { return "hosted_" + string(system) }
func askedAt(system vcs.VCS) string { return hosted(system) + "_at" }

// account returns the name of the attribute that holds a user's identity at a VCS.
func account(system vcs.VCS) string { return "identity_" + string(system) }

// SortKey is the sort key of every user's item, and of no other item.
const SortKey = "USER"

// Attributes of users, besides those that members, hosted, askedAt and account name.
const (
	attrID      = "id"
	attrName    = "name"
	attrCreated = "created_at"
)

// attrOwner is the attribute, of the items that reserve names and accounts, that
// holds the id of the user.
const attrOwner = "user"

// Decode reads a user's item. An empty item is ErrNotFound.
func Decode(item attr.Item) (User, error) {
	if len(item) == 0 {
		return User{}, ErrNotFound
	}
	r := attr.Read(item)
	u := User{ID: r.String(attrID), Name: r.String(attrName), CreatedAt: r.Time(attrCreated)}
	for _, system := range vcs.All() {
		for _, id := range readIDs(r, members(system)) {
			u.Memberships = append(u.Memberships, vcs.Installation{VCS: system, ID: id})
		}
		if r.Has(askedAt(system)) {
			if u.Hosted == nil {
				u.Hosted = map[vcs.VCS]Hosted{}
			}
			u.Hosted[system] = Hosted{Installations: readIDs(r, hosted(system)), AskedAt: time.UnixMilli(r.Int(askedAt(system))).UTC()}
		}
		if !r.Has(account(system)) {
			continue
		}
		i := attr.Read(r.Map(account(system)))
		if u.Identities == nil {
			u.Identities = map[vcs.VCS]Identity{}
		}
		u.Identities[system] = Identity{ID: vcs.ID(i.String("id")), Login: i.String("login"), AvatarURL: i.String("avatar_url")}
		if err := i.Err(); err != nil {
			return User{}, err
		}
	}
	return u, r.Err()
}

// readIDs reads a set of ids, sorted as texts. It returns nil if the set is absent.
func readIDs(r *attr.Reader, name string) []vcs.ID {
	var ids []vcs.ID
	for _, id := range r.Strings(name) {
		ids = append(ids, vcs.ID(id))
	}
	slices.Sort(ids)
	return ids
}

// idSet makes a set of ids. There must be at least one.
func idSet(ids ...vcs.ID) table.Value {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = string(id)
	}
	return attr.Strings(texts)
}

func (i Identity) value() attr.Item {
	return attr.Item{"id": attr.String(string(i.ID)), "login": attr.String(i.Login), "avatar_url": attr.String(i.AvatarURL)}
}
