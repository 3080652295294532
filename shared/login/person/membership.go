package person

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/login/renewal"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/installation"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Memberships keeps which installations people may act on.
type Memberships struct {
	// Users has the people.
	Users *user.Store
	// Installations are those that the server knows.
	Installations installation.Store
	// Appointments are when hosts are asked again.
	Appointments renewal.Store
}

// Renew is Ask for a holder who is here. It makes sure first that the host will be
// asked again when it is not: no word is stored that nobody looks after.
func (m Memberships) Renew(ctx context.Context, author change.Author, host Host, of session.Holder, token string) ([]string, error) {
	if err := m.Appointments.Expect(ctx, of.User, of.VCS, author.At); err != nil {
		return nil, err
	}
	return m.Ask(ctx, author, host, of, token)
}

// Ask asks a host which installations the holder of a token can see, and stores
// those that the server knows in place of all that the host said before. It
// answers their ids. The host is asked as of author.At. vcshost.ErrRefused if the
// host does not take the token, or lets it not read which those are;
// vcshost.ErrNoAnswer if it says nothing: then what it said before stands.
func (m Memberships) Ask(ctx context.Context, author change.Author, host Host, of session.Holder, token string) ([]string, error) {
	seen, err := host.Installations(ctx, token)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", meaning(err), err)
	}
	slices.Sort(seen)
	known, err := m.Installations.Known(ctx, vcs.VCS(of.VCS), slices.Compact(seen))
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(known))
	for i, k := range known {
		ids[i] = string(k.ID)
	}
	return ids, m.Users.Replace(ctx, author, of.User, of.VCS, of.Account, user.Hosted{Installations: ids, AskedAt: author.At})
}

// meaning is what a host's error says of the person.
func meaning(err error) error {
	switch {
	case vcshost.RefusesAddress(err):
		return vcshost.ErrNoAnswer // whoever is asked about
	case errors.Is(err, vcshost.ErrRefused), errors.Is(err, vcshost.ErrForbidden), errors.Is(err, vcshost.ErrGone):
		// Whose own list is hidden from it: an account that is blocked, or a grant that may not read it.
		return vcshost.ErrRefused
	}
	return vcshost.ErrNoAnswer
}
