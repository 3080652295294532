// Package membership stores what hosts state about the installations that people
// may act on, and the time at which a host is asked again. Its invariants: a newer
// statement of a host replaces all its earlier ones. A person has one Renewal for
// each VCS, and each Renewal has one reminder at its due time. So a renewal can be
// found by its time and by the person, and it is not lost when a worker dies.
package membership

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/installation"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Host returns the installations of a person. Its errors are those of package
// vcshost.
type Host interface {
	// Installations returns the ids of the installations or groups that the person
	// of a token can see.
	Installations(ctx context.Context, token string) ([]vcs.ID, error)
}

// Memberships stores which installations people may act on.
type Memberships struct {
	// Users is the store of the users.
	Users *user.Store
	// Installations is the store of the installations that the server knows.
	Installations installation.Store
	// Renewals is the store of the times at which hosts are asked again.
	Renewals Renewals
}

// Renew does what Ask does, for a holder who uses the server now. First it makes
// sure that a renewal is due later. So no statement of a host is stored that is
// never renewed.
func (m Memberships) Renew(ctx context.Context, author change.Author, host Host, of grant.Holder, token string) ([]vcs.ID, error) {
	if err := m.Renewals.Expect(ctx, of.User, of.Account.VCS, author.At); err != nil {
		return nil, err
	}
	return m.Ask(ctx, author, host, of, token)
}

// Ask asks a host which installations the holder of a token can see. It stores
// those that the server knows, and replaces all that the host stated before. It
// returns their ids. author.At is the time of the question. It returns
// vcshost.ErrRefused if the host does not accept the token, or does not allow the
// token to read the list. It returns vcshost.ErrNoAnswer if the host gives no
// usable response. Then the host's earlier statement stays.
func (m Memberships) Ask(ctx context.Context, author change.Author, host Host, of grant.Holder, token string) ([]vcs.ID, error) {
	seen, err := host.Installations(ctx, token)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", meaning(err), err)
	}
	slices.Sort(seen)
	known, err := m.Installations.Known(ctx, of.Account.VCS, slices.Compact(seen))
	if err != nil {
		return nil, err
	}
	ids := make([]vcs.ID, len(known))
	for i, k := range known {
		ids[i] = k.ID
	}
	return ids, m.Users.Replace(ctx, author, of.User, of.Account, user.Hosted{Installations: ids, AskedAt: author.At})
}

// meaning returns what a host's error says about the person.
func meaning(err error) error {
	switch {
	case vcshost.RefusesAddress(err):
		return vcshost.ErrNoAnswer // it would be the same for any person
	case errors.Is(err, vcshost.ErrRefused), errors.Is(err, vcshost.ErrForbidden), errors.Is(err, vcshost.ErrGone):
		// The person's own list is not shown to the token: the account is blocked,
		// or the grant may not read the list.
		return vcshost.ErrRefused
	}
	return vcshost.ErrNoAnswer
}
