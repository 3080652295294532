// Package user holds the people and machine accounts that own API keys, and
// which installations each may act on. Its invariant: a user's name is unique
// among users, whatever its case.
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
	"github.com/opsplane/opsplane/shared/vcs"
)

// User is a person or a machine account.
type User struct {
	// ID is a lower-case UUID.
	ID string
	// Name is what operators call the user: 1 to MaxName letters, digits, or
	// one of "._-", starting with a letter or digit. A user who was made by a
	// login is called after its account, such as "github:583231": a colon stands
	// in no other name, and the account's id never changes, as its login does.
	Name string
	// CreatedAt is when the user was made, whole seconds.
	CreatedAt time.Time
	// Memberships are the installations that operators let the user act on,
	// sorted. They stand until an operator takes them back.
	Memberships []vcs.Installation
	// Hosted are the installations that VCSs say the user may act on, by VCS.
	Hosted map[string]Hosted
	// Identities are the user's accounts at VCSs, by VCS.
	Identities map[string]Identity
}

// Identity is a user's account at a VCS.
type Identity struct {
	// ID is the account's own id there, which never changes.
	ID string
	// Login is the account's name there, which may change.
	Login string
	// AvatarURL is its picture; may be empty.
	AvatarURL string
}

// MaxName bounds a user's name, in bytes.
const MaxName = 64

// The answers of the store beside faults.
var (
	// ErrNotFound says that there is no such user.
	ErrNotFound = errors.New("no such user")
	// ErrExists says that another user has the name.
	ErrExists = errors.New("a user of this name exists")
)

// Login answers the user's identity at a VCS. A user whom an operator made and
// gave a membership there goes by its own name. False if nothing ties the user
// to the VCS.
func (u User) Login(vcsName string) (Identity, bool) {
	if identity, ok := u.Identities[vcsName]; ok {
		return identity, true
	}
	member := slices.ContainsFunc(u.Memberships, func(m vcs.Installation) bool { return string(m.VCS) == vcsName })
	return Identity{Login: u.Name}, member
}

// VCSs lists the VCSs that know the user, in the order of vcs.All.
func (u User) VCSs() []string {
	known := []string{}
	for _, system := range vcs.All() {
		if _, ok := u.Login(string(system)); ok {
			known = append(known, string(system))
		}
	}
	return known
}

// Hosted is what a VCS said of a user's installations when it was last asked.
type Hosted struct {
	// Installations are ids, sorted.
	Installations []string
	// AskedAt is when the VCS was asked, whole milliseconds.
	AskedAt time.Time
}

// How long a VCS's word holds. Whoever lists the installations has it asked
// again; a console does so on every start.
const (
	// SessionLapse is for sessions.
	SessionLapse = 12 * time.Hour
	// KeyLapse is for API keys, which work while their owner is away.
	KeyLapse = 7 * 24 * time.Hour
)

// Admits reports whether a credential of the user's is still one: a session ends
// with the tie between the user and the account that it was made with.
func (u User) Admits(c access.Caller) bool {
	return c.Kind != access.KindSession || !c.Account.IsZero() && u.Identities[string(c.Account.VCS)].ID == string(c.Account.ID)
}

// MembershipsFor answers the installations that the user may act on with a
// credential: what operators gave, and what VCSs said not too long ago. Sorted,
// without duplicates; none for a credential that the user does not admit.
func (u User) MembershipsFor(c access.Caller, now time.Time) []vcs.Installation {
	if !u.Admits(c) {
		return nil
	}
	all := slices.Clone(u.Memberships)
	for system := range u.Hosted {
		said, _ := u.HostedFor(c, system, now)
		for _, id := range said.Installations {
			all = append(all, vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(id)})
		}
	}
	slices.SortFunc(all, func(a, b vcs.Installation) int {
		return cmp.Or(cmp.Compare(a.VCS, b.VCS), cmp.Compare(a.ID, b.ID))
	})
	return slices.Compact(all)
}

// HostedFor is what a VCS said, as far as it holds for a credential that the user
// admits; false if it said nothing, or too long ago.
func (u User) HostedFor(c access.Caller, vcs string, now time.Time) (Hosted, bool) {
	lapse := KeyLapse
	if c.Kind == access.KindSession {
		lapse = SessionLapse
	}
	said, ok := u.Hosted[vcs]
	if !ok || now.Sub(said.AskedAt) >= lapse {
		return Hosted{}, false
	}
	return said, true
}

// validName answers an Invalid fault for what cannot be a name.
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

// members is the attribute that holds the ids of a user's installations at a
// VCS. A set of its own per VCS lets one call add or take an id, without
// reading the item first.
func members(vcs string) string { return "member_" + vcs }

// hosted is the attribute that holds the ids of a user's installations as the
// VCS last said; askedAt that of the time it was asked, Unix milliseconds.
func hosted(vcs string) string  { return "hosted_" + vcs }
func askedAt(vcs string) string { return "hosted_" + vcs + "_at" }

// account is the attribute that holds a user's identity at a VCS.
func account(vcs string) string { return "identity_" + vcs }

// SortKey is the sort key of every user's item, and of no other item.
const SortKey = "USER"

// Decode reads a user's item. An empty item is ErrNotFound.
func Decode(item attr.Item) (User, error) {
	if len(item) == 0 {
		return User{}, ErrNotFound
	}
	r := attr.Read(item)
	u := User{ID: r.String("id"), Name: r.String("name"), CreatedAt: r.Time("created_at")}
	for _, system := range vcs.All() {
		ids := r.Strings(members(string(system)))
		slices.Sort(ids)
		for _, id := range ids {
			u.Memberships = append(u.Memberships, vcs.Installation{VCS: system, ID: vcs.ID(id)})
		}
	}
	for _, system := range vcs.All() {
		vcs := string(system)
		if r.Has(askedAt(vcs)) {
			if u.Hosted == nil {
				u.Hosted = map[string]Hosted{}
			}
			ids := r.Strings(hosted(vcs))
			slices.Sort(ids)
			u.Hosted[vcs] = Hosted{Installations: ids, AskedAt: time.UnixMilli(r.Int(askedAt(vcs))).UTC()}
		}
		if !r.Has(account(vcs)) {
			continue
		}
		i := attr.Read(r.Map(account(vcs)))
		if u.Identities == nil {
			u.Identities = map[string]Identity{}
		}
		u.Identities[vcs] = Identity{ID: i.String("id"), Login: i.String("login"), AvatarURL: i.String("avatar_url")}
		if err := i.Err(); err != nil {
			return User{}, err
		}
	}
	return u, r.Err()
}

func (i Identity) value() attr.Item {
	return attr.Item{"id": attr.String(i.ID), "login": attr.String(i.Login), "avatar_url": attr.String(i.AvatarURL)}
}
